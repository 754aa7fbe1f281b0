"""The product's fold and figures against the oracle, on messy histories (the one file here that imports the product).

`ORACLE_CASES` sets how many seeded dossiers are compared; so does `MOTCUA_ORACLE_CASES` with --noconftest (the house's
conftest clears MOTCUA_*). A difference is shown cut down to one dossier and the events that matter.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.counting.rules.contributions import Measure, contributions, covers, signed_counts
from shared.dossiers.rules.dossier import Dossier, fold
from shared.dossiers.rules.voids import void_problems
from shared.vocabulary.events import DossierCode, EventName
from shared.vocabulary.events import Event as Recorded
from shared.vocabulary.voids import absent_void_targets
from tests.oracle.comparison import ITEM_FIELDS, differences
from tests.oracle.computation import Computation, compute
from tests.oracle.examples import RECEIVED, SYSTEM, logged
from tests.oracle.figures import dossiers_behind, places
from tests.oracle.histories import Event, Seeded, arrival, seeded_tenant, tenants, written
from tests.oracle.log import instant, local_date

CASES = int(os.environ.get("MOTCUA_ORACLE_CASES") or os.environ.get("ORACLE_CASES") or "1500")
CHUNK = 300
FOREVER = 10_000
RECORDED_AT = datetime(2025, 1, 1, tzinfo=UTC)
INSTANTS = ("due_at", "new_due_at", "step_due_at")

CHANNEL_PATH = {channel: f"received.new.{channel}" for channel in ("online", "direct", "postal")}
RESOLVED_PATH = {"early": "resolved.early", "on_time": "resolved.on_time", "late": "resolved.late"}


# ------------------------------------------------------------------------------------------- the product's side


def canonical(text: str) -> str:
    return written(instant(text), 0, 0)


def recorded(posted: list[Event]) -> list[Recorded]:
    """What the product's log holds of these, in arrival order, duplicates counted once."""
    log: dict[tuple[str, str], Recorded] = {}
    for item in posted:
        identity = (item["source"], item["id"])
        if identity in log:
            continue
        data = {key: canonical(value) if key in INSTANTS else value for key, value in item.get("data", {}).items()}
        name = EventName(item["type"].split(".")[3])
        code = DossierCode(item["subject"])
        log[identity] = Recorded(
            len(log) + 1, RECORDED_AT, item["source"], item["id"], name, code, instant(item["time"]), data
        )
    return list(log.values())


def folded(posted: list[Event]) -> dict[str, tuple[Dossier, tuple[Any, ...]]]:
    """Each dossier with the anomalies of its voids."""
    events = recorded(posted)
    identities = {(event.source, event.id) for event in events}
    answer = {}
    own: dict[DossierCode, list[Recorded]] = {}
    for event in events:
        own.setdefault(event.dossier_code, []).append(event)
    for code, mine in own.items():
        problems = void_problems(mine, absent_void_targets(mine) & identities)
        answer[str(code)] = (fold(code, mine), problems)
    return answer


def as_answer(dossier: Dossier, problems: tuple[Any, ...]) -> dict[str, Any]:
    """The product's dossier in the shape of the API's answer."""
    return {
        "code": str(dossier.code),
        "status": None if dossier.status is None else int(dossier.status),
        "agency": dossier.agency_code,
        "receiving_agency": dossier.receiving_agency_code,
        "taken_over_at": dossier.taken_over_at,
        "awaiting_takeover": dossier.awaits_takeover,
        "procedure": dossier.procedure_code,
        "channel": None if dossier.channel is None else str(dossier.channel),
        "received_at": dossier.received_at,
        "due_at": dossier.due_at,
        "promised_at": dossier.promised_at,
        "original_due_at": dossier.original_due_at,
        "ended_at": dossier.ended_at,
        "end_kind": None if dossier.end_kind is None else str(dossier.end_kind),
        "is_open": dossier.is_open,
        "pauses": [(pause.begun_at, pause.until) for pause in dossier.pauses],
        "anomalies": [(str(a.code), a.source, a.event_id) for a in (*dossier.anomalies, *problems)],
    }


FIELDS = (*ITEM_FIELDS, "original_due_at", "is_open")


def product_places(dossier: Dossier, start: date, to: date) -> set[str]:
    """As `places`, from the product's contributions: flows in [F, T], stocks at F - 1 and T."""
    added = contributions(dossier)
    if added is None:
        return set()
    found: set[str] = set()
    if start <= added.received_on <= to:
        found |= {"received.total", "received.new.total", CHANNEL_PATH[str(dossier.channel)]}
    before = start - timedelta(days=1)
    if covers(added.within, before) or covers(added.overdue, before):
        found |= {"received.total", "received.carried_over"}
    if added.ended_on is not None and start <= added.ended_on <= to:
        found |= {"resolved.total", RESOLVED_PATH[str(added.resolution)]}
        if added.end_kind in ("withdrawn", "stopped"):
            found.add(f"resolved.{added.end_kind}")
    for spans, path in ((added.within, "within"), (added.overdue, "overdue"), (added.paused, "paused")):
        if covers(spans, to):
            found |= {f"open.{path}"} if path == "paused" else {f"open.{path}", "open.total"}
    return found


# ----------------------------------------------------------------------------------------------- the comparison


def days_of_interest(oracle: Computation) -> list[date]:
    """Every local date the history names, and its neighbours."""
    moments = [logged.time for logged in oracle.events] + [when for _, when in oracle.setting]
    days = {local_date(moment) + timedelta(days=shift) for moment in moments for shift in (-1, 0, 1)}
    return sorted(days)


def periods_of_interest(days: list[date]) -> list[tuple[date, date]]:
    if not days:
        return []
    single = [(day, day) for day in days]
    ranges = [(days[0], day) for day in days] + [(day, days[-1]) for day in days]
    between = list(zip(days, days[3:], strict=False))
    far = timedelta(days=FOREVER)
    return [*single, *ranges, *between, (days[0] - far, days[-1] + far), (days[-1] + far, days[-1] + far)]


def disagreements(oracle: Computation, dossier: Dossier, problems: tuple[Any, ...]) -> list[str]:
    found = differences(oracle, as_answer(dossier, problems), fields=FIELDS)
    logged = [(event.source, event.id) for event in oracle.postponements]
    got = [(setting.event.source, setting.event.id) for setting in dossier.postponements]
    if logged != got:
        found.append(f"{oracle.code} postponements: oracle {logged}, product {got}")
    for told_event in oracle.events:
        at = told_event.time
        if oracle.due_at_moment(at) != dossier.due_at_instant(at):
            found.append(f"{oracle.code} due at {at}: {oracle.due_at_moment(at)}, {dossier.due_at_instant(at)}")
    days = days_of_interest(oracle)
    for day in days:
        wanted, answered = oracle.due_at_end_of(day), dossier.due_at_end_of(day)
        if wanted != answered:
            found.append(f"{oracle.code} due at the end of {day}: oracle {wanted}, product {answered}")
    for start, to in periods_of_interest(days):
        wanted, answered = places(oracle, start, to), product_places(dossier, start, to)
        if wanted != answered:
            found.append(
                f"{oracle.code} figures {start}..{to}: only the oracle {sorted(wanted - answered)}, "
                f"only the product {sorted(answered - wanted)}"
            )
            break
    return found


def all_disagreements(posted: list[Event]) -> dict[str, list[str]]:
    oracle, product = compute(posted), folded(posted)
    assert oracle.keys() == product.keys()
    return {code: found for code in oracle if (found := disagreements(oracle[code], *product[code]))}


def minimal(posted: list[Event], fails: Callable[[list[Event]], bool]) -> list[Event]:
    """Fewer events that still fail."""
    index = 0
    while index < len(posted):
        without = posted[:index] + posted[index + 1 :]
        if fails(without):
            posted, index = without, 0
        else:
            index += 1
    return posted


def explanation(posted: list[Event]) -> str:
    """What differs, cut down to one dossier and few events; empty if nothing does."""
    found = all_disagreements(posted)
    if not found:
        return ""
    code, complaints = min(found.items(), key=lambda pair: sum(item["subject"] == pair[0] for item in posted))
    kind = complaints[0].split(":")[0].split()[1]
    few = minimal(
        [item for item in posted if item["subject"] == code] or posted,
        lambda events: any(
            complaint.split(":")[0].split()[1] == kind for complaint in all_disagreements(events).get(code, [])
        ),
    )
    lines = [
        f"{written(instant(item['time']), 420, 0)} {item['type'].split('.')[3]} {item['source']} {item['id']} "
        f"{json.dumps({k: written(instant(v), 420, 0) if k in INSTANTS else v for k, v in item.get('data', {}).items()}, ensure_ascii=False)}"
        for item in sorted(few, key=lambda item: instant(item["time"]))
    ]
    complaints = all_disagreements(few).get(code, complaints)
    return f"{len(found)} dossiers differ, one is\n" + "\n".join([*lines, *complaints])


def must_agree(posted: list[Event]) -> None:
    difference = explanation(posted)
    assert not difference, difference


# ------------------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("chunk", range(max(1, CASES // CHUNK)))
def test_seeded_histories(chunk):
    must_agree(seeded_tenant(f"domain {chunk}", CHUNK))


@pytest.mark.parametrize("chunk", range(max(1, CASES // CHUNK // 5)))
def test_short_histories_meet_more_corners(chunk):
    must_agree(seeded_tenant(f"short {chunk}", CHUNK * 2, longest=4))


@given(tenants())
@settings(max_examples=max(100, CASES // 20), deadline=None, suppress_health_check=list(HealthCheck))
def test_drawn_histories(posted):
    must_agree(posted)


@pytest.mark.parametrize("request_day", [14, 16, 17, 18])
@pytest.mark.parametrize("done_day", [16, 18, 19])
@pytest.mark.parametrize("calendar_day", [13, 15, 17, 19, 21, 23])
@pytest.mark.parametrize("ends", ["supplemented", "assigned", "payment_requested"])
def test_a_calendar_change_near_two_pauses(request_day, done_day, calendar_day, ends):
    due = logged(
        "due_set",
        f"{calendar_day} 08:00",
        source=SYSTEM,
        new_due_at="30 17:00",
        cause="calendar",
        follows={"source": "s", "id": "done"},
    )
    pauses = [
        logged("supplement_requested", f"{request_day} 07:00"),
        logged(ends, f"{done_day} 08:00", "done"),
        logged("supplement_requested", "20 08:00"),
        logged("supplemented", "22 08:00"),
    ]
    must_agree([RECEIVED, *pauses, due])


def timeless(dossier: Dossier, problems: tuple[Any, ...]) -> tuple[Any, ...]:
    """All that may not depend on the order of arrival."""
    answer = as_answer(dossier, problems)
    answer["anomalies"] = Counter(answer["anomalies"])
    return answer, contributions(dossier), dossier.due_history


@given(tenants(most=2), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_arrival_gives_the_same(posted, seed):
    first = {code: timeless(*pair) for code, pair in folded(posted).items()}
    second = {code: timeless(*pair) for code, pair in folded(arrival(Seeded(seed), posted)).items()}
    assert first == second


def test_any_order_of_arrival_gives_the_same_to_a_tenant():
    posted = seeded_tenant("orders", CHUNK)
    first = {code: timeless(*pair) for code, pair in folded(posted).items()}
    for seed in range(3):
        assert first == {code: timeless(*pair) for code, pair in folded(arrival(Seeded(seed), posted)).items()}


def test_every_prefix_of_a_log_agrees():
    """As-of answers and live ones see prefixes: each must agree, not only the whole."""
    for seed in range(max(8, CASES // 300)):
        posted = seeded_tenant(f"prefix {seed}", 4, longest=8)
        for count in range(1, len(posted)):
            must_agree(posted[:count])


@pytest.mark.parametrize("seed", range(2))
def test_signed_counts_add_up_to_the_figures(seed):
    """Sums of dated counts over a tenant, as the product's counters hold them, against the oracle's columns."""
    posted = seeded_tenant(f"sums {seed}", CHUNK)
    oracle, product = compute(posted), folded(posted)
    counts = [count for dossier, _ in product.values() for count in signed_counts(contributions(dossier))]

    def flow(measure: Measure, start: date, to: date) -> int:
        return sum(sign for day, of, sign in counts if of is measure and start <= day <= to)

    def stock(measure: Measure, to: date) -> int:
        return sum(sign for day, of, sign in counts if of is measure and day <= to)

    days = [
        date(2018, 12, 28),
        date(2018, 12, 31),
        date(2019, 12, 16),
        date(2022, 5, 20),
        date(2024, 3, 1),
        date(2030, 1, 1),
    ]
    for index, start in enumerate(days):
        for to in days[index:]:
            behind = dossiers_behind(oracle.values(), start, to, lambda _dossier: True)
            wanted = {path: len(codes) for path, codes in behind.items()}
            before = start - timedelta(days=1)
            assert flow(Measure.RECEIVED, start, to) == wanted["received.new.total"]
            assert flow(Measure.RESOLVED_EARLY, start, to) == wanted["resolved.early"]
            assert flow(Measure.RESOLVED_ON_TIME, start, to) == wanted["resolved.on_time"]
            assert flow(Measure.RESOLVED_LATE, start, to) == wanted["resolved.late"]
            assert flow(Measure.WITHDRAWN, start, to) == wanted["resolved.withdrawn"]
            assert flow(Measure.STOPPED, start, to) == wanted["resolved.stopped"]
            assert stock(Measure.WITHIN, to) == wanted["open.within"]
            assert stock(Measure.OVERDUE, to) == wanted["open.overdue"]
            assert stock(Measure.PAUSED, to) == wanted["open.paused"]
            carried = stock(Measure.WITHIN, before) + stock(Measure.OVERDUE, before)
            assert carried == wanted["received.carried_over"]
