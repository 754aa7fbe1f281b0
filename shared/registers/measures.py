"""What a register's figures are made of: what is known at a moment, and what each unit counts for in a period.

A register with figures has ``figures.py`` in its folder; `FigureSet` says what stands there. Each figure has one
definition, `FigureSet.count`: sums, cuts, rates, identities and the list behind a figure all come from it.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, Protocol

from shared.calendar.rules.working_time import WorkingTime
from shared.catalogue.rules.agency_tree import AgencyTree
from shared.dossiers.rules.dossier import Dossier
from shared.vocabulary.local_time import day_after

TENANT = "tenant"
"""The unit of figures that belong to no agency."""


@dataclass(frozen=True, slots=True)
class Known:
    """A record at the moment that is asked about. ``agency``: as events name it; ``facts``: JSON, instants as text."""

    code: str
    agency: str | None
    facts: Mapping[str, Any]
    anomalies: Sequence[str] = ()


class StoredDossier(Protocol):
    """The plain values of a dossier's row that figures of registers use."""

    @property
    def code(self) -> str: ...
    @property
    def agency(self) -> str | None: ...
    @property
    def procedure(self) -> str | None: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def received_at(self) -> datetime | None: ...
    @property
    def received_on(self) -> date | None: ...
    @property
    def due_at(self) -> datetime | None: ...
    @property
    def promised_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def ended_on(self) -> date | None: ...
    @property
    def end_kind(self) -> str | None: ...
    @property
    def resolution(self) -> str | None: ...
    @property
    def overdue_days(self) -> str: ...
    @property
    def waits(self) -> str: ...
    @property
    def marks(self) -> int: ...
    @property
    def anomalies(self) -> str: ...


@dataclass(frozen=True, slots=True)
class KnownDossier:
    """A dossier at the moment. ``folded``: what its events make of it, only where a register asks for histories."""

    row: StoredDossier
    folded: Dossier | None = None


class ProcedureFacts(Protocol):
    """What the catalogue of procedures says of one."""

    @property
    def name(self) -> str: ...
    @property
    def field(self) -> str | None: ...
    @property
    def level(self) -> str | None: ...
    @property
    def limit_value(self) -> int | None: ...
    @property
    def limit_unit(self) -> str | None: ...
    @property
    def result_is_document(self) -> bool: ...
    @property
    def has_fee(self) -> bool: ...
    @property
    def online_level(self) -> str | None: ...
    @property
    def facts(self) -> Mapping[str, str]: ...


class World(Protocol):
    """All that is known of one tenant at the moment that is asked about: now, or an earlier instant."""

    @property
    def today(self) -> date:
        """The local date of the moment."""

    @property
    def procedures(self) -> Mapping[str, ProcedureFacts]: ...

    def tree_on(self, on: date) -> AgencyTree:
        """The agencies of a day."""

    def records(self, register: str) -> Mapping[str, Known]:
        """The records of a register by code; only of those in `FigureSet.needs`."""

    def dossiers(self) -> Mapping[str, KnownDossier]:
        """The dossiers by code; only where ``dossier`` is in `FigureSet.needs`."""

    def synced(self) -> Collection[str]:
        """The dossiers that the national portal holds; only where `FigureSet.portal` is true."""

    def working_day(self, after: date, count: int) -> date:
        """``wd(after, count)`` of registers.md, section 0: of the national week; raises `UnconfirmedYear`."""

    def working_time(self, agency: str | None) -> WorkingTime:
        """The office hours of an agency; None: those of an office that says nothing."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One unit and what it counts for in a period.

    ``counts``: by the id of a figure or part; absent: 0; None: not known, because the calendar is not confirmed.
    ``dossier``: where the unit stands with a dossier, whose present agency then says who may see it.
    ``cuts``: the further keys by which it can be cut; ``field``: its field, where the catalogue's does not count.
    """

    code: str
    agency: str | None
    procedure: str | None
    counts: Mapping[str, int | None]
    dossier: str | None = None
    channel: str | None = None
    cuts: Mapping[str, str] = field(default_factory=dict)


Count = Callable[[World, date, date], Iterator[Counted]]
"""Every unit of the whole tenant, each once, with its counts for the local dates of a period, both ends included."""


@dataclass(frozen=True, slots=True)
class Turns:
    """The days on which the counts of a unit may change, or more: of a period's first day, and of its last."""

    firsts: Collection[date] = ()
    lasts: Collection[date] = ()


@dataclass(frozen=True, slots=True)
class OneDay:
    """What counts in the periods that hold one day, and in no others: its `counts` and `turns` are those of a `Unit`."""

    on: date
    told: Mapping[str, int | None]

    def counts(self, first: date, last: date) -> Mapping[str, int | None]:
        return self.told if first <= self.on <= last else {}

    def turns(self, _: date) -> Turns:
        return Turns((day_after(self.on),), (self.on,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit in any period; see `Counted`. ``counts``: for the local dates of a period, both ends included.

    ``turns``: up to a day; between two of them ``counts`` answers the same. ``case``: what it is read with (`ByUnit`).
    """

    case: str
    code: str
    agency: str | None
    procedure: str | None = None
    counts: Callable[[date, date], Mapping[str, int | None]]
    turns: Callable[[date], Turns]
    dossier: str | None = None
    channel: str | None = None
    cuts: Mapping[str, str] = field(default_factory=dict)


def counted(units: Iterable[Unit], first: date, last: date) -> Iterator[Counted]:
    """Those that count for something in a period."""
    for one in units:
        counts = one.counts(first, last)
        if counts:
            yield Counted(one.code, one.agency, one.procedure, counts, one.dossier, one.channel, one.cuts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ByUnit:
    """How figures are counted unit by unit, so that an index can keep them (decision 52).

    Units of a **case** are a function of the records and the dossier that have its code or name it, and of what all units
    share. ``units``: every unit of a world that has all of these for the cases in it. ``cases``: the registers whose
    records are cases. ``named_in``: by register the fact that names the case of a record, where that is not its own code;
    ``evidence_in``: the fact that names another case of which it says something. Their events name both by the same word.
    ``shared``: registers of which all units may need any record. ``sheet``: they need the sheet of procedures.
    """

    units: Callable[[World], Iterator[Unit]]
    cases: frozenset[str]
    named_in: Mapping[str, str] = field(default_factory=dict)
    evidence_in: Mapping[str, str] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    sheet: bool = False

    def count(self, world: World, first: date, last: date) -> Iterator[Counted]:
        """As `Count` says: what the index is proven against."""
        return counted(self.units(world), first, last)


@dataclass(frozen=True, slots=True)
class Rate:
    """``numerator / denominator`` in percent, both ids of figures or parts. ``formula``: in words, for the description.

    ``of_procedures``: both count procedures, each once: those of the units that count there.
    """

    id: str
    numerator: str
    denominator: str
    formula: str
    of_procedures: bool = False


@dataclass(frozen=True, slots=True)
class Check:
    """An identity between sums of figures that holds in every scope."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    relation: Literal["=", "<="] = "="

    @property
    def identity(self) -> str:
        """As answers name it: ``f1=f2+f3``."""
        return self.relation.join(("+".join(self.left), "+".join(self.right)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSet:
    """The figures of a register.

    ``path``: its word in ``/v1/stats/{path}``. ``unit``: what is counted and listed: a register, ``dossier`` or `TENANT`.
    ``needs``: the registers whose records are read, and ``dossier`` for dossiers. ``histories``: dossiers come folded.
    ``figures``: ids in the order of answers, with their words. ``parts``: ids that are counted and listed but are no figure
    of the answer. ``cuts``: the keys of `Counted.cuts`, with their words. ``portal``: it is asked which dossiers
    the portal holds. ``by_unit``: where an index can keep them. ``procedures``: parts that are
    procedures of the catalogue on the last day, whatever units there are: by decisions (`catalogue`) and the sheet.
    """

    path: str
    title: str
    unit: str
    needs: frozenset[str]
    figures: Mapping[str, str]
    count: Count
    parts: Mapping[str, str] = field(default_factory=dict)
    rates: Sequence[Rate] = ()
    checks: Sequence[Check] = ()
    cuts: Mapping[str, str] = field(default_factory=dict)
    histories: bool = False
    portal: bool = False
    by_unit: ByUnit | None = None
    procedures: Mapping[str, Callable[[World, date], Collection[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what answers could not be made of."""
        known = {*self.figures, *self.parts}
        used = {one for rate in self.rates for one in (rate.numerator, rate.denominator)}
        used |= {one for check in self.checks for one in (*check.left, *check.right)}
        if used - known:
            raise ValueError(f"{self.path}: no such figures or parts: {sorted(used - known)}")
