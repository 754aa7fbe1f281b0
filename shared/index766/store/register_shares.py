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
from shared.register_figures.rules.sums import Sums
from shared.register_figures.store.tables import Question
from shared.register_figures.store.worlds import KnownWorld, Worlds
from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.registers.feedback.complaints import dossiers_complained_about
from shared.registers.figure_sets import BY_REGISTER
from shared.registers.payment.obligations import is_paid_online

DOSSIERS: Final = "dossiers"


@dataclass(frozen=True, slots=True)
class RegisterShare:
    """A register with the figures or parts that an indicator divides."""

    register: Register
    numerator: str
    denominator: str

    @property
    def path(self) -> str:
        """The list behind both."""
        return f"/v1/stats/{BY_REGISTER[self.register.name].path}/records"


REGISTER_SHARES: Final[Mapping[str, RegisterShare]] = {
    "1.1": RegisterShare(CATALOGUE, "decided_in_time", "decided"),
    "1.2": RegisterShare(CATALOGUE, "posted_in_time", "posting_owed"),
    "1.3": RegisterShare(CATALOGUE, "complete", "parts_told"),
    "3.1": RegisterShare(CATALOGUE, "full_of_eligible", "eligible_full"),
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
PAID: Final = ("3.5b", "3.6")
_DISLIKED: Final = "5.4"


@dataclass(frozen=True, slots=True)
class FromRegisters:
    """``shares``: of indicators for which a register has data; None: the calendar does not say.

    ``sources``: what those and the others are computed from, where that is not the dossiers alone.
    """

    shares: Mapping[str, Share | None] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Tallies = dict[str | None, IndicatorCounts]

_HAS_RECORDS: Final = "SELECT EXISTS (SELECT FROM record WHERE tenant = $1 AND register = $2)"
_RECEIVED_PAID: Final = """
SELECT d.procedure, count(*) AS paid_online, count(*) FILTER (WHERE NOT ({uncharged})) AS paid_online_charged
FROM dossier d
WHERE d.tenant = $1 AND d.received_at >= $2 AND d.received_at < $3 AND d.code = ANY($4::text[]) AND NOT ({paid_online})"""


async def _has(connection: DriverConnection, looking: Looking, register: Register) -> bool:
    """Whether it has records; those of then are among those of now."""
    return bool(await connection.fetchval(_HAS_RECORDS, looking.scope.access.tenant, register.name))


async def add_paid_by_register(
    connection: DriverConnection, looking: Looking, tallies: Tallies, conditions: Mapping[str, str]
) -> bool:
    """Add the dossiers that payments alone say are paid online; whether the register has any record."""
    if not await _has(connection, looking, PAYMENT):
        return False
    moment = looking.scope.moment
    known = await records_at(connection, looking.scope.access.tenant, PAYMENT.name, moment.position, moment.pace)
    codes = {
        one.facts["dossier_code"]
        for one in known.values()
        if one.facts["obligation"] is not None and is_paid_online([one], has_online_paid=False)
    }
    statement = _RECEIVED_PAID.format(uncharged=conditions["uncharged"], paid_online=conditions["paid_online"])
    values = (looking.window.begin, looking.window.until, sorted(codes))
    for row in await looking.fetch(connection, statement, *values, end=" GROUP BY d.procedure"):
        more = IndicatorCounts(paid_online=row["paid_online"], paid_online_charged=row["paid_online_charged"])
        tallies[row["procedure"]] = tallies.get(row["procedure"], IndicatorCounts()) + more
    return bool(known)


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
    if not await _has(connection, looking, FEEDBACK):
        return False
    moment = looking.scope.moment
    known = await records_at(connection, looking.scope.access.tenant, FEEDBACK.name, moment.position, moment.pace)
    statement, values = pleased
    codes = sorted(dossiers_complained_about(known.values()) - set(beyond))
    for row in await looking.fetch(connection, statement, *values, codes):
        tally = tallies.get(row["procedure"], IndicatorCounts())
        tallies[row["procedure"]] = replace(tally, late_or_disliked=tally.late_or_disliked + 1)
    return bool(known)


async def read_register_shares(
    connection: DriverConnection, looking: Looking, tallies: Tallies, worlds: Worlds
) -> FromRegisters:
    """The shares of registers that have data about the period and scope."""
    scope = looking.scope
    shares: dict[str, Share | None] = {}
    sources: dict[str, tuple[str, ...]] = {}
    is_whole = not scope.is_narrowed
    for register, may_ask in (
        # decisions are the province's; feedback has no procedure and no channel
        (CATALOGUE, is_whole and str(scope.top) == str(scope.access.tenant)),
        (FEEDBACK, is_whole),
        (COMPONENT, True),
    ):
        if not may_ask or not await _has(connection, looking, register):
            continue
        figures = BY_REGISTER[register.name]
        world = await worlds.read(connection, scope, looking.almanac, figures)
        if not _has_data(world, register, looking):
            continue
        sums = (await Question(figures, scope, world).table(None)).total
        found = {name: _share(sums, one) for name, one in REGISTER_SHARES.items() if one.register is register}
        if register is CATALOGUE:
            found = {name: share for name, share in found.items() if share is None or share.denominator}
            found |= _services_used(world, looking, tallies)
        shares |= found
        also = (DOSSIERS,) if register is COMPONENT else ()
        sources |= dict.fromkeys(found, (register.name, *also))
    if _SERVICES_USED in sources:
        sources[_SERVICES_USED] = (CATALOGUE.name, DOSSIERS)
    return FromRegisters(shares, sources)


def _has_data(world: KnownWorld, register: Register, looking: Looking) -> bool:
    """Of digitisation: about a dossier that was received in the period; else any record."""
    known, period = world.records(register.name), looking.scope.period
    if register is not COMPONENT:
        return bool(known)
    dossiers = world.dossiers()
    received = (dossiers[code].row.received_on for code, one in known.items() if one.facts and code in dossiers)
    return any(on is not None and period.from_on <= on <= period.to_on for on in received)


def _share(sums: Sums, one: RegisterShare) -> Share | None:
    numerator, denominator = sums.of(one.numerator), sums.of(one.denominator)
    return None if numerator is None or denominator is None else Share(numerator, denominator)


def _services_used(world: KnownWorld, looking: Looking, tallies: Tallies) -> dict[str, Share]:
    """3.2: the online services of the last day that have an online dossier in the period."""
    catalogue = DecidedCatalogue.of({code: one.facts for code, one in world.records(CATALOGUE.name).items()})
    services = catalogue.services(looking.scope.period.to_on)
    used = sum(tallies.get(code, IndicatorCounts()).online > 0 for code in services)
    return {_SERVICES_USED: Share(used, len(services))} if services else {}


def sources_of(from_registers: FromRegisters, *, paid: bool, complained: bool) -> Mapping[str, tuple[str, ...]]:
    """What indicators are computed from, where that is not the dossiers alone."""
    more = dict.fromkeys(PAID, (DOSSIERS, PAYMENT.name)) if paid else {}
    disliked = {_DISLIKED: (DOSSIERS, FEEDBACK.name)} if complained else {}
    return {**from_registers.sources, **more, **disliked}
