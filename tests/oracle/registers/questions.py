"""Questions on the registers, what the oracle answers, and the comparison with whoever answers the same ones.

A product is connected by one function, `Ask`: it takes a `Question` and answers in plain values, as `answer` does here:

| question | answer | over HTTP |
|---|---|---|
| figures | {figure: int or None, rate id: (numerator, denominator)} | `GET /v1/stats/<register>?from=&to=&agency=&as_of=` |
| with `cut` | {row key: the same} | `GET /v1/stats/<register>/by/{cut}?…`, its `rows` |
| with `figure` | the set of codes behind it | the link `records` of an answer |
| register `statement` | {class: (count, statement_vnd, ours_vnd, references)} and `totals` | `GET /v1/payments/statements/{gateway}/{date}` |
| register `records`, `figure` says which | {code: fields}, instants as datetimes | `GET /v1/feedback`, `GET /v1/payments` (every page; those that were initiated), `steps.instances` of `GET /v1/dossiers/{code}` |
| register `anomalies`, `figure` says of what, of `codes` | {code: set of anomalies}, of `dossiers` {code: {register: set}}, of `slips` {code: rows of ended instances} | `anomalies` of `GET /v1/feedback/{code}`, `GET /v1/payments/{reference}`; `GET /v1/dossiers/{code}`, `…/slip` |
| register `scores`, `officers` | {row key: {index: (points, values), "8": points}} | `GET /v1/scores/tt01_2018?…`, `…/officers` |

`as_of` is a number of events in recording order: ask with the instant at which that one was recorded. None means not known, because
the calendar is unconfirmed there. A row that one side leaves out counts as a row of zeros; what an answer has beside what the oracle
knows is left alone. The log that the oracle is given must be the one in the product's feed: the product appends events of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain
from typing import Any

from tests.oracle.registers import (
    anomalies,
    catalogue,
    catalogue_anomalies,
    digitisation,
    feedback,
    payments,
    reviews,
    scores,
    steps,
)
from tests.oracle.registers.world import UNKNOWN, Log, Unit, World

ONE_DAY = timedelta(days=1)
TIME_CUTS = ("month", "quarter")
CODES = 40
"""So many records are asked for their anomalies in one question."""
Statements = dict[tuple[str, date], list[dict[str, Any]]]


@dataclass(frozen=True)
class Register:
    figures: tuple[str, ...]
    rates: dict[str, tuple[str, str]]
    identities: tuple[tuple[str, tuple[str, ...]], ...]
    units: Callable[[World, date, date], Iterator[Unit]]
    cuts: tuple[str, ...] = ("agency", "procedure", "channel")
    of_agencies: bool = True  # else the figures are the tenant's
    listed: tuple[str, ...] = ()  # figures whose list of records is unambiguous


REGISTERS = {
    "feedback": Register(
        feedback.FIGURES,
        feedback.RATES,
        feedback.IDENTITIES,
        feedback.units,
        cuts=("agency", "kind"),
        listed=feedback.FIGURES,
    ),
    "payments": Register(
        payments.FIGURES,
        payments.RATES,
        payments.IDENTITIES,
        payments.units,
        listed=payments.FIGURES,
    ),
    "digitisation": Register(
        digitisation.FIGURES, digitisation.RATES, digitisation.IDENTITIES, digitisation.units, listed=digitisation.FIGURES
    ),
    "catalogue": Register(
        catalogue.FIGURES,
        catalogue.RATES,
        catalogue.IDENTITIES,
        lambda *asked: chain(catalogue.units(*asked), catalogue_anomalies.units(*asked)),
        cuts=(),
        of_agencies=False,
        listed=(*(name for name in catalogue.FIGURES if name != "units"), *catalogue_anomalies.PARTS),
    ),
    "steps": Register(
        steps.FIGURES,
        steps.RATES,
        steps.IDENTITIES,
        steps.units,
        cuts=("agency", "department", "officer", "role"),
    ),
    "post": Register(
        digitisation.POST_FIGURES,
        digitisation.POST_RATES,
        digitisation.POST_IDENTITIES,
        digitisation.post_units,
        listed=digitisation.POST_FIGURES,
    ),
    "surveys": Register(
        reviews.SURVEY_FIGURES,
        reviews.SURVEY_RATES,
        reviews.SURVEY_IDENTITIES,
        reviews.survey_units,
        cuts=("agency",),
        listed=reviews.SURVEY_FIGURES,
    ),
    "reviews": Register(
        reviews.FIGURES,
        reviews.RATES,
        reviews.IDENTITIES,
        reviews.units,
        cuts=(),
        of_agencies=False,
        listed=("reviewed",),
    ),
}
OTHERS = {"scores": scores.rows, "officers": scores.officers}
RECORDS: dict[str, Callable[[World], Any]] = {
    "feedback": feedback.records,
    "payments": payments.records,
    "steps": steps.records,
}


@dataclass(frozen=True)
class Question:
    register: str
    first: date
    last: date
    agency: str | None = None  # None: the tenant's root
    as_of: int | None = None
    cut: str | None = None
    figure: str | None = None
    gateway: str | None = None  # of a statement; its day is `first`
    codes: tuple[str, ...] = ()  # of records whose anomalies, or slips, are asked for


Answer = dict[str, Any]
Ask = Callable[[Question], Any]


# ------------------------------------------------------------------------------------------------- what the oracle answers


def total(register: Register, units: Iterable[Unit]) -> Answer:
    """Sums of the figures, and the parts of the rates. A sum with something unknown in it is unknown."""
    sums: dict[str, int | None] = {}
    for unit in units:
        for name, value in unit.counts.items():
            known = sums.get(name, 0)
            sums[name] = None if value is None or known is None else known + value
    answer: Answer = {name: sums.get(name, 0) for name in register.figures}
    for name, (numerator, denominator) in register.rates.items():
        answer[name] = (sums.get(numerator, 0), sums.get(denominator, 0))
    return answer


def breaks(register: Register, answer: Answer) -> list[str]:
    """The identities that an answer breaks."""
    found = []
    for whole, parts in register.identities:
        values = [answer[part] for part in parts]
        if None not in [*values, answer[whole]] and answer[whole] != sum(values):
            found.append(f"{whole} = {' + '.join(parts)}")
    return found


def periods(cut: str, first: date, last: date) -> dict[str, tuple[date, date]]:
    """The months, quarters or years of a period, by their short forms; the period is made of whole ones."""
    found: dict[str, tuple[date, date]] = {}
    day = first
    while day <= last:
        key = {"month": f"{day:%Y-%m}", "quarter": f"{day.year}-Q{(day.month + 2) // 3}", "year": str(day.year)}[cut]
        found[key] = (found.get(key, (day, day))[0], day)
        day += ONE_DAY
    return found


def answer(log: Log, statements: Statements, question: Question) -> Any:
    world = log.at(question.as_of)
    top = question.agency or log.setting.root
    days = question.first, min(question.last, log.setting.today)
    if question.register not in REGISTERS:
        return of_others(world, statements, question, top, days)
    register = REGISTERS[question.register]
    if question.figure is not None:
        return behind(in_scope(world, register, top, *days), question.figure)
    if question.cut is not None:
        return rows_of(world, register, top, days, question.cut)
    return total(register, in_scope(world, register, top, *days)) | of_procedures(world, register, top, days)


def of_others(world: World, statements: Statements, question: Question, top: str, days: tuple[date, date]) -> Any:
    """What is asked of no register's figures."""
    if question.register == "statement":
        assert question.gateway is not None
        return statement(world, question.gateway, days[0], statements[question.gateway, days[0]])
    if question.register in OTHERS:
        return OTHERS[question.register](world, top, *days)
    assert question.figure is not None
    if question.register == "records":
        return RECORDS[question.figure](world)
    return anomalies.strange(world, question.figure, question.codes)


def of_procedures(
    world: World, register: Register, top: str, days: tuple[date, date], row: tuple[str, str] | None = None
) -> Answer:
    """The rates of payments that count procedures, of a scope, or of one row of a cut of it."""
    if register is not REGISTERS["payments"]:
        return {}

    def chosen(agency: str | None, keys: dict[str, str]) -> bool:
        if not world.holds(top, agency) or row is None:
            return world.holds(top, agency)
        cut, key = row
        return (world.row(top, agency) if cut == "agency" else keys.get(cut, UNKNOWN)) == key

    return payments.procedure_rates(world, chosen, *days, row[1] if row is not None and row[0] == "procedure" else None)


def behind(units: list[Unit], figure: str) -> set[str] | None:
    """The codes that count in a figure; what is not known has no list."""
    if any(unit.counts.get(figure, 0) is None for unit in units):
        return None
    return {unit.code for unit in units if unit.counts.get(figure, 0) != 0}


def rows_of(world: World, register: Register, top: str, days: tuple[date, date], cut: str) -> dict[str, Answer]:
    if cut in TIME_CUTS:
        return {
            key: total(register, in_scope(world, register, top, *part)) | of_procedures(world, register, top, part)
            for key, part in periods(cut, *days).items()
        }
    grouped: dict[str, list[Unit]] = {}
    for unit in in_scope(world, register, top, *days):
        key = world.row(top, unit.agency) if cut == "agency" else unit.keys.get(cut, UNKNOWN)
        grouped.setdefault(key, []).append(unit)
    return {
        key: total(register, found) | of_procedures(world, register, top, days, (cut, key)) for key, found in grouped.items()
    }


def statement(world: World, gateway: str, day: date, lines: list[dict[str, Any]]) -> Answer:
    classes = payments.classed(world, gateway, day, lines)
    said: Answer = {
        name: (row["count"], row["statement_vnd"], row["ours_vnd"], tuple(sorted(row["references"])))
        for name, row in classes.items()
    }
    return said | {"totals": payments.statement_totals(classes)}


def in_scope(world: World, register: Register, top: str, first: date, last: date) -> list[Unit]:
    return [unit for unit in register.units(world, first, last) if world.holds(top, unit.agency)]


# -------------------------------------------------------------------------------------------------------- comparison


def differences(wanted: Any, got: Any, path: str = "") -> list[str]:
    """What differs, in words."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        found = []
        for key in sorted(set(wanted) | set(got)):
            ours, theirs = wanted.get(key), got.get(key)
            if key not in wanted:
                beside = not isinstance(theirs, dict) or empty(theirs)
                found += [] if beside else [f"{path}.{key}: only the answer has it: {theirs}"]
            elif key not in got:
                found += [] if empty(ours) else [f"{path}.{key}: oracle {ours}, the answer has none"]
            else:
                found += differences(ours, theirs, f"{path}.{key}")
        return found
    if isinstance(wanted, (set, frozenset)):
        missing, extra = sorted(wanted - set(got)), sorted(set(got) - wanted)
        return [f"{path}: the answer lacks {missing[:5]}, has {extra[:5]}"] if missing or extra else []
    return [] if wanted == got else [f"{path}: oracle {wanted}, answer {got}"]


def empty(row: Any) -> bool:
    """Of nothing only: zeros, or a record without effective events. Indices 8 and 9 have a value without any dossier, and
    procedures have a fee without any."""
    if not isinstance(row, dict):
        return row == []
    return all(value in (0, None, (0, 0)) for key, value in row.items() if key not in ("8", "9", "pay.procedures"))


def compare(
    log: Log, statements: Statements, questions: Iterable[Question], ask: Ask, *, without: Iterable[str] = ()
) -> list[str]:
    """Every difference between the oracle and `ask`. `without`: ids that are not compared."""
    left_out = set(without)

    def kept(said: Any) -> Any:
        if not isinstance(said, dict):
            return said
        return {key: kept(value) for key, value in said.items() if key not in left_out}

    found = []
    for question in sorted(questions, key=lambda one: (one.as_of is None, one.as_of)):
        wanted = answer(log, statements, question)
        if wanted is not None:
            found += differences(kept(wanted), kept(ask(question)), f"{question}")
    return found


# --------------------------------------------------------------------------------------------------- random questions


def random_questions(log: Log, statements: Statements, seed: int | str, count: int, prefixes: int = 8) -> list[Question]:
    """Of every register, over periods, subtrees, cuts, lists and prefixes of the log."""
    chance = random.Random(f"questions {seed}")
    days = sorted({event["time"][:10] for event in log.events})
    begin, end = date.fromisoformat(days[0]), min(date.fromisoformat(days[-1]), log.setting.today)
    agencies = [agency["code"] for agency in log.setting.agencies]
    positions = [chance.randint(len(log.events) // 10, len(log.events)) for _ in range(prefixes)]
    found: list[Question] = []
    while len(found) < count:
        as_of = chance.choice(positions) if chance.random() < 0.3 else None
        kind = chance.random()
        if kind < 0.06 and statements:
            gateway, day = chance.choice(sorted(statements))
            found.append(Question("statement", day, day, gateway=gateway))
            continue
        first, last = period(chance, begin, end)
        if kind < 0.1:
            register = chance.choice(("scores", "officers"))
            found.append(Question(register, first, last, chance.choice(agencies), as_of))
            continue
        if kind < 0.14 and kind >= 0.11:
            what = chance.choice(sorted(anomalies.ASKED))
            known = sorted(anomalies.ASKED[what][0](log.at(None)))
            codes = tuple(chance.sample(known, min(len(known), CODES)))
            found.append(Question("anomalies", begin, end, figure=what, codes=codes))
            continue
        if kind < 0.11:
            found.append(Question("records", begin, end, as_of=as_of, figure=chance.choice(sorted(RECORDS))))
            continue
        name = chance.choice(sorted(REGISTERS))
        register_ = REGISTERS[name]
        agency = chance.choice((None, *agencies)) if register_.of_agencies else None
        cut = figure = None
        if chance.random() < 0.4:
            cut = chance.choice((*register_.cuts, *TIME_CUTS))
            if cut in TIME_CUTS:
                first, last = whole_periods(cut, first, min(last, first + timedelta(days=400)))
        elif register_.listed and chance.random() < 0.3:
            figure = chance.choice(register_.listed)
        found.append(Question(name, first, min(last, log.setting.today), agency, as_of, cut, figure))
    return found


def period(chance: random.Random, begin: date, end: date) -> tuple[date, date]:
    length = chance.choice((0, 1, 6, 13, 30, 90, 180, 365, 800))
    first = begin + timedelta(days=chance.randint(0, (end - begin).days))
    return first, min(first + timedelta(days=length), end)


def whole_periods(cut: str, first: date, last: date) -> tuple[date, date]:
    size = {"month": 1, "quarter": 3, "year": 12}[cut]
    opening = date(first.year, (first.month - 1) // size * size + 1, 1)
    following = (last.month - 1) // size * size + 1 + size
    closing = date(last.year + (following - 1) // 12, (following - 1) % 12 + 1, 1) - ONE_DAY
    return opening, closing
