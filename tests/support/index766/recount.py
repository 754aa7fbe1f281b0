"""A brute-force computation of the index over folded dossiers, one by one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

from shared.catalogue.rules.terms import Term, TermUnit
from shared.dossiers.rules.dossier import Dossier
from tests.support.index766.tenant import CATALOGUE

LOCAL = timedelta(hours=7)


def us(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def end_of(dossier: Dossier) -> datetime | None:
    """9, else 10, else 8 or refusal, else 7: of the ends after the last reopening."""
    ends: list[tuple[str, datetime]] = []
    seen = False
    for step in dossier.steps:
        name = step.name.value
        if name in ("transferred", "extended"):
            continue
        if seen and name in ("processed", "returned", "stopped", "rejected", "withdrawn"):
            ends.append((name, step.time))
        else:
            ends = []
        seen = seen or name == "received"
    for names, which in ((("processed",), -1), (("returned",), 0), (("stopped", "rejected"), -1), (("withdrawn",), -1)):
        found = [when for name, when in ends if name in names]
        if found:
            return found[which]
    return None


class Recount:
    """Every indicator from the folded dossiers of a scope, one by one."""

    def __init__(
        self, dossiers: dict[str, Dossier], *, synced: set[str], almanac: Any, first: date, last: date, chosen: set[str]
    ):
        self.almanac = almanac
        self.begin = datetime(first.year, first.month, first.day, tzinfo=UTC) - LOCAL
        self.end = datetime(last.year, last.month, last.day, tzinfo=UTC) - LOCAL + timedelta(days=1, microseconds=-1)
        received = {c: d for c, d in dossiers.items() if d.received_at is not None}
        self.new = {c: d for c, d in received.items() if self.begin <= d.received_at <= self.end}
        ends = {c: end_of(d) for c, d in received.items()}
        self.hand = [
            d for c, d in received.items() if d.received_at <= self.end and (ends[c] is None or ends[c] >= self.begin)
        ]
        self.synced = sum(code in synced for code in self.new)
        self.chosen = chosen

    def is_late(self, dossier: Dossier) -> bool:
        ended = end_of(dossier)
        handled = ended is not None and ended <= self.end
        end = ended if handled else self.end
        if len([one for one in dossier.supplements if handled or one.requested.time <= self.end]) > 1:
            return True
        waiting = timedelta()
        for pause in dossier.pauses:
            if pause.begun_at < end:
                waiting += min(pause.until or end, end) - pause.begun_at
        promises = [one.due_at for one in dossier.due_settings if handled or one.event.time <= self.end]
        if promises:
            return end - waiting > promises[-1]
        limit = CATALOGUE.get(dossier.procedure_code or "", {}).get("limit")
        if limit is None or dossier.received_at is None:
            return False
        office = self.almanac.working_time(dossier.agency_code or "")
        return end - waiting > office.add(dossier.received_at, Term(limit["value"], TermUnit(limit["unit"])))

    def answer(self) -> dict[str, tuple[int, int]]:
        new = list(self.new.values())
        total = len(new)

        def trait(dossier: Dossier, name: str) -> bool:
            return bool(CATALOGUE.get(dossier.procedure_code or "", {}).get(name))

        linked = {id(d) for d in new if any(result.url for result in d.results)}
        paper_ok = [d for d in new if not trait(d, "result_is_document") or id(d) in linked]
        fee = [d for d in new if trait(d, "has_fee")]
        paid = [d for d in new if d.payment is not None and d.payment.gateway != "counter"]
        owing = [d for d in fee if not d.fees or any(one.amount_vnd for one in d.fees)]
        documents = [d for d in new if trait(d, "result_is_document")]
        late = [d for d in self.hand if self.is_late(d)]
        bad = [d for d in self.hand if self.is_late(d) or d.satisfied is False]
        kinds = {d.procedure_code for d in new if d.procedure_code}
        return {
            "1.4": (self.synced, total),
            "2.1": (len(self.hand) - len(late), len(self.hand)),
            "3.3": (sum(d.channel == "online" for d in paper_ok), total),
            "3.5": (
                len({d.procedure_code for d in fee if any(one.amount_vnd for one in d.fees)}),
                sum(bool(CATALOGUE[code].get("has_fee")) for code in self.chosen & set(CATALOGUE)),
            ),
            "3.5b": (len({d.procedure_code for d in fee if d in paid}), len({d.procedure_code for d in fee})),
            "3.6": (sum(d in paid for d in owing), len(owing)),
            "4.1": (sum(id(d) in linked for d in documents), len(documents)),
            "4.2": (sum(d.flags.components_digitised for d in paper_ok), total),
            "4.3": (sum(d.flags.components_reused for d in new), total),
            "4.4": (sum(d.flags.from_national_store for d in new), total),
            "4.5a": (len({d.procedure_code for d in new if d.flags.vneid_verified and d.procedure_code}), len(kinds)),
            "4.5b": (sum(d.flags.vneid_verified for d in new), total),
            "5.4": (len(self.hand) - len(bad), len(self.hand)),
        }

    def means(self) -> dict[str | None, tuple[int, Fraction]]:
        found: dict[str | None, tuple[int, Fraction]] = {}
        for dossier in self.new.values():
            end = end_of(dossier)
            if dossier.status not in (9, 10) or end is None or dossier.received_at is None:
                continue
            unit = CATALOGUE.get(dossier.procedure_code or "", {}).get("limit", {}).get("unit")
            office = self.almanac.working_time(dossier.agency_code or "")
            working = unit in ("working_days", "working_hours")
            measure = office.between if working else lambda a, b: max(b - a, timedelta())
            spent = measure(dossier.received_at, end)
            for pause in dossier.pauses:
                if pause.begun_at < end:
                    spent -= measure(pause.begun_at, min(pause.until or end, end))
            length = {"working_days": 7.5, "working_hours": 1, "months": 24 * 30}.get(str(unit), 24)
            number, total = found.get(unit, (0, Fraction(0)))
            found[unit] = number + 1, total + Fraction(us(spent)) / Fraction(length) / 3_600_000_000
        return found


def half_up(value: Fraction) -> str:
    hundredths = (value * 200 + 1) // 2
    return f"{hundredths // 100}.{hundredths % 100:02}"


def in_scope(dossier: Dossier, asked: dict[str, str]) -> bool:
    under = asked.get("agency", "H51")
    agency = dossier.agency_code or ""
    if under != "H51" and not (agency == under or agency.startswith(under + ".")):
        return False
    if asked.get("field") == "unknown" and CATALOGUE.get(dossier.procedure_code or "", {}).get("field"):
        return False
    if (
        asked.get("field", "unknown") != "unknown"
        and CATALOGUE.get(dossier.procedure_code or "", {}).get("field") != asked["field"]
    ):
        return False
    return asked.get("procedure") in (None, dossier.procedure_code) and asked.get("channel") in (None, dossier.channel)


def procedures_in(asked: dict[str, str]) -> set[str]:
    if "procedure" in asked:
        return {asked["procedure"]}
    if asked.get("field") == "unknown":
        return set()
    return {code for code, known in CATALOGUE.items() if asked.get("field") in (None, known["field"])}
