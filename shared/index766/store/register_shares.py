"""What registers feed of the national index: the shares of their own figures, and dossiers that they say more of.

An indicator is computed from a register where it has data, so a tenant without registers has the figures that it had before.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from shared.as_of.store.records import records_at
from shared.database.engine import DriverConnection
from shared.events.rules.registers import CATALOGUE, COMPONENT, FEEDBACK, PAYMENT, Register
from shared.index766.rules.indicators import IndicatorCounts, Share
from shared.index766.store.looking import Looking
from shared.register_figures.rules.answered import Unit
from shared.register_figures.rules.sums import Sums
from shared.register_figures.store.tables import Question
from shared.register_figures.store.worlds import KnownWorld, Worlds
from shared.registers.catalogue.publications import decided
from shared.registers.feedback.complaints import dossiers_complained_about
from shared.registers.figure_sets import BY_REGISTER

DOSSIERS: Final = "dossiers"


@dataclass(frozen=True, slots=True)
class RegisterShare:
    """A register with the figures or parts that an indicator divides.

    ``of_procedures``: both count procedures, those of the units there. ``dossiers_divided``: where the denominator counts
    the whole catalogue, the part of their dossiers.
    """

    register: Register
    numerator: str
    denominator: str
    of_procedures: bool = False
    dossiers_divided: str | None = None

    @property
    def path(self) -> str:
        """The list behind both."""
        return f"/v1/stats/{BY_REGISTER[self.register.name].path}/records"


REGISTER_SHARES: Final[Mapping[str, RegisterShare]] = {
    "1.1": RegisterShare(CATALOGUE, "decided_in_time", "decided"),
    "1.2": RegisterShare(CATALOGUE, "posted_in_time", "posting_owed"),
    "1.3": RegisterShare(CATALOGUE, "complete", "parts_told"),
    "3.1": RegisterShare(CATALOGUE, "full_of_eligible", "eligible_full"),
    "3.5": RegisterShare(PAYMENT, "fee_charged", "fee_procedures", of_procedures=True, dossiers_divided="fee_dossiers"),
    "3.5b": RegisterShare(PAYMENT, "fee_paid", "fee_dossiers", of_procedures=True),
    "3.6": RegisterShare(PAYMENT, "paid_online", "owing"),
    "4.1": RegisterShare(COMPONENT, "document_filed", "document"),
    "4.2": RegisterShare(COMPONENT, "both", "dossiers"),
    "4.3": RegisterShare(COMPONENT, "with_reused", "dossiers"),
    "4.4": RegisterShare(COMPONENT, "with_stored", "dossiers"),
    "5.1a": RegisterShare(FEEDBACK, "f4", "f1"),
    "5.1b": RegisterShare(FEEDBACK, "f5", "f1"),
    "5.2": RegisterShare(FEEDBACK, "on_time", "on_time_population"),
    "5.3": RegisterShare(FEEDBACK, "satisfied", "f2"),
}
_SERVICES_USED: Final = "3.2"
_DISLIKED: Final = "5.4"
_BESIDE: Final[Mapping[str, tuple[Register, ...]]] = {PAYMENT.name: (CATALOGUE,)}
"""Registers that say something of what an indicator of another one counts: which procedures have a fee, decisions say."""


@dataclass(frozen=True, slots=True)
class FromRegisters:
    """``shares``: of indicators for which a register has data; None: the calendar does not say.

    ``sources``: what those and the others are computed from, where that is not the dossiers alone.
    """

    shares: Mapping[str, Share | None] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Tallies = dict[str | None, IndicatorCounts]

_HAS_RECORDS: Final = "SELECT EXISTS (SELECT FROM record WHERE tenant = $1 AND register = $2)"


async def _has(connection: DriverConnection, looking: Looking, register: Register) -> bool:
    """Whether it has records; those of then are among those of now."""
    return bool(await connection.fetchval(_HAS_RECORDS, looking.scope.access.tenant, register.name))


async def complained_about(connection: DriverConnection, looking: Looking) -> frozenset[str] | None:
    """The dossiers that feedback complains about; None: the register has no record."""
    if not await _has(connection, looking, FEEDBACK):
        return None
    moment = looking.scope.moment
    known = await records_at(connection, looking.scope.access.tenant, FEEDBACK.name, moment.position, moment.pace)
    return frozenset(dossiers_complained_about(known.values())) if known else None


async def add_complained_about(
    connection: DriverConnection,
    looking: Looking,
    tallies: Tallies,
    pleased: tuple[str, tuple[object, ...]],
    beyond: Collection[str],
) -> bool:
    """Add the dossiers in hand that only feedback complains about; whether the register has any record.

    ``pleased``: a statement that answers those in hand, neither late nor disliked, of the codes in its last parameter;
    ``beyond``: late by their procedure's term alone.
    """
    about = await complained_about(connection, looking)
    if about is None:
        return False
    statement, values = pleased
    for row in await looking.fetch(connection, statement, *values, sorted(about - set(beyond))):
        tally = tallies.get(row["procedure"], IndicatorCounts())
        tallies[row["procedure"]] = replace(tally, late_or_disliked=tally.late_or_disliked + 1)
    return True


@dataclass(frozen=True, slots=True)
class _Feeding:
    """A register with data about the period and scope. ``sources``: the registers that have some of it."""

    world: KnownWorld
    question: Question
    sources: tuple[str, ...]


async def _feeding(connection: DriverConnection, looking: Looking, register: Register, worlds: Worlds) -> _Feeding | None:
    """None: it feeds no indicator here."""
    scope = looking.scope
    # decisions are the province's; feedback has no procedure and no channel
    if register in (CATALOGUE, FEEDBACK) and scope.is_narrowed:
        return None
    if register is CATALOGUE and str(scope.top) != str(scope.access.tenant):
        return None
    concerned = (register, *_BESIDE.get(register.name, ()))
    if not any([await _has(connection, looking, one) for one in concerned]):
        return None
    figures = BY_REGISTER[register.name]
    world = await worlds.read(connection, scope, looking.almanac, figures)
    sources = tuple(sorted(one.name for one in concerned if _has_data(world, one, looking)))
    return _Feeding(world, Question(figures, scope, world), sources) if sources else None


async def read_register_shares(
    connection: DriverConnection, looking: Looking, tallies: Tallies, worlds: Worlds
) -> FromRegisters:
    """The shares of registers that have data about the period and scope."""
    shares: dict[str, Share | None] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for register in (CATALOGUE, FEEDBACK, PAYMENT, COMPONENT):
        feeding = await _feeding(connection, looking, register, worlds)
        if feeding is None:
            continue
        sums = (await feeding.question.table(None)).total
        found = {name: _share(sums, one) for name, one in REGISTER_SHARES.items() if one.register is register}
        if register is CATALOGUE:
            found = {name: share for name, share in found.items() if share is None or share.denominator}
            found |= _services_used(feeding.world, looking, tallies)
        shares |= found
        also = (DOSSIERS,) if register in (COMPONENT, PAYMENT) else ()
        sources |= dict.fromkeys(found, tuple(sorted((*feeding.sources, *also))))
    if _SERVICES_USED in sources:
        sources[_SERVICES_USED] = (CATALOGUE.name, DOSSIERS)
    return FromRegisters(shares, sources)


async def units_behind(
    connection: DriverConnection, looking: Looking, worlds: Worlds, indicator: str, figure: str
) -> list[Unit] | None:
    """The units of a figure or part; None: no register feeds the indicator here."""
    feeding = await _feeding(connection, looking, REGISTER_SHARES[indicator].register, worlds)
    return None if feeding is None else await feeding.question.units(figure, None, None)


async def services_of(connection: DriverConnection, looking: Looking, worlds: Worlds) -> list[str]:
    """The online services of the last day, by decisions."""
    world = await worlds.read(connection, looking.scope, looking.almanac, BY_REGISTER[CATALOGUE.name])
    return sorted(decided(world).services(looking.scope.period.to_on))


def _has_data(world: KnownWorld, register: Register, looking: Looking) -> bool:
    """Of digitisation: about a dossier that was received in the period; else any record."""
    known, period = world.records(register.name), looking.scope.period
    if register is not COMPONENT:
        return bool(known)
    dossiers = world.dossiers()
    received = (dossiers[code].row.received_on for code, one in known.items() if one.facts and code in dossiers)
    return any(on is not None and period.from_on <= on <= period.to_on for on in received)


def _share(sums: Sums, one: RegisterShare) -> Share | None:
    count = sums.procedures_of if one.of_procedures else sums.of
    numerator, denominator = count(one.numerator), count(one.denominator)
    return None if numerator is None or denominator is None else Share(numerator, denominator)


def _services_used(world: KnownWorld, looking: Looking, tallies: Tallies) -> dict[str, Share]:
    """3.2: the online services of the last day that have an online dossier in the period."""
    services = decided(world).services(looking.scope.period.to_on)
    used = sum(tallies.get(code, IndicatorCounts()).online > 0 for code in services)
    return {_SERVICES_USED: Share(used, len(services))} if services else {}


def sources_of(from_registers: FromRegisters, *, complained: bool) -> Mapping[str, tuple[str, ...]]:
    """What indicators are computed from, where that is not the dossiers alone."""
    disliked = {_DISLIKED: (DOSSIERS, FEEDBACK.name)} if complained else {}
    return {**from_registers.sources, **disliked}
