"""The figures of the procedure catalogue (registers, sections 4 and 5; index 766: 1.1, 1.2, 1.3, 3.1)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from shared.calendar.rules.calendar import UnconfirmedYear
from shared.registers.catalogue import precedence
from shared.registers.catalogue.decisions import SERVICE_FIGURES, Act, DecidedCatalogue, Decision
from shared.registers.measures import TENANT, Check, Counted, FigureSet, Rate, World
from shared.vocabulary.local_time import ONE_DAY

_AGENCY_LEVELS: Final = {"province": "cấp tỉnh", "district": "cấp huyện", "commune": "cấp xã"}
_LEVELS: Final = (*_AGENCY_LEVELS, "vertical")
_DECISIONS: Final = {"publication": "decisions", "process": "process_decisions"}
"""The kinds that are counted, by their figures."""
_OBLIGATORY_PARTS: Final = 7

_MINISTRIES: Final = "G"
"""Codes of ministries begin with it; all others are held to the terms of provinces (choice)."""
_DECIDED_DAYS: Final = {True: 20, False: 5}
"""Working days before the legal text takes effect, of a ministry and of a province (766 1.1)."""
_DECIDED_DAYS_SHORTENED: Final = timedelta(days=3)
_POSTED_DAYS: Final = {True: 10, False: 5}
"""Working days after signing (766 1.2)."""
_POSTED_DAYS_SHORTENED: Final = 2

Truth = bool | None
"""None: not known, because the calendar is not confirmed."""


def decided_in_time(world: World, decision: Decision) -> Truth:
    """Whether it was signed in time before the legal text takes effect.

    A shortened text takes effect when it is signed, so its ``legal_effective_on`` stands for that day (choice).
    """
    assert decision.legal_effective_on is not None
    if decision.is_shortened:
        return decision.signed_on <= decision.legal_effective_on + _DECIDED_DAYS_SHORTENED
    days = _DECIDED_DAYS[decision.code.startswith(_MINISTRIES)]
    try:  # so many working days from the day of signing on are over before that day
        return world.working_day(decision.signed_on - ONE_DAY, days) < decision.legal_effective_on
    except UnconfirmedYear:
        return None


def posting_due_on(world: World, decision: Decision) -> date | None:
    """The last day to make its procedures public; None: not known."""
    days = _POSTED_DAYS_SHORTENED if decision.is_shortened else _POSTED_DAYS[decision.code.startswith(_MINISTRIES)]
    try:
        return world.working_day(decision.signed_on, days)
    except UnconfirmedYear:
        return None


def _all(found: Sequence[Truth]) -> int | None:
    """Whether all are in time: one that is late decides, whatever is not known of others."""
    if False in found:
        return 0
    return None if None in found else 1


class _Period:
    """What is asked about: the catalogue, and the decisions signed in the period by the procedures that they name."""

    def __init__(self, world: World, first: date, last: date) -> None:
        self.world = world
        self.sheet: Final = world.procedures
        self.first, self.last = first, last
        self.known: Final = world.records("catalogue")
        self.catalogue: Final = DecidedCatalogue.of({code: one.facts for code, one in self.known.items()})
        self.signed: Final = [one for one in self.catalogue.decisions if first <= one.signed_on <= last]
        self.mentions: Final = {kind: self._mentions(kind) for kind in ("publication", "process")}
        anomalies: dict[str, Counter[str]] = {}
        for found in self.catalogue.anomalies():
            anomalies.setdefault(found.procedure, Counter())[found.code] += 1
        self.anomalies: Final = anomalies

    def _mentions(self, kind: str) -> set[str]:
        return {item["procedure_code"] for one in self.signed if one.kind == kind for item in one.items}

    def procedures(self) -> list[str]:
        return sorted({*self.catalogue.procedures, *self.mentions["process"]})

    def decision(self, decision: Decision) -> Counted:
        """It stands in a field if all its items do (choice)."""
        fields = {item.get("field") for item in decision.items}
        one = fields.pop() if len(fields) == 1 else None
        counts: dict[str, int | None] = dict.fromkeys(self.known[decision.code].anomalies, 1)
        if decision.kind in _DECISIONS:
            counts[_DECISIONS[decision.kind]] = 1
        if decision.kind == "publication":
            counts["items"] = len(decision.items)
        return Counted(decision.code, None, None, counts, cuts={} if one is None else {"field": one})

    def procedure(self, code: str) -> Counted:
        now, before = (self.catalogue.entry(code, on) for on in (self.last, self.first - ONE_DAY))
        counts: dict[str, int | None] = {
            "procedures_covered": int(code in self.mentions["publication"]),
            "process_procedures": int(code in self.mentions["process"]),
            "in_force": int(now is not None),
            "in_force_before": int(before is not None),
            "put_in": int(now is not None and before is None),
            "taken_out": int(now is None and before is not None),
        }
        for act in self.catalogue.acts(code):
            if act.item["procedure_code"] == code and self.first <= act.decision.effective_on <= self.last:
                counts[act.item["action"]] = 1
        counts |= self.anomalies.get(code, {})
        counts |= self._timeliness(code)
        if now is not None:
            counts |= self._entry(code, now)
        last = now or next((act for act in reversed(self.catalogue.acts(code)) if act.puts_in), None)
        field = precedence.text_of("field", None if last is None else last.item, self.sheet.get(code))
        return Counted(code, None, code, counts, cuts={} if field is None else {"field": field})

    def _entry(self, code: str, act: Act) -> dict[str, int]:
        """What a procedure in force counts for."""
        item, sheet = act.item, self.sheet.get(code)
        counts = {item.get("origin", "unknown_origin"): 1, "sum_of_lists": len(set(item["levels"]))}
        counts |= dict.fromkeys(item["levels"], 1)
        service = self.catalogue.service(code, self.last)
        figure = None if service is None else SERVICE_FIGURES.get(service["level"])
        if figure is not None:
            counts |= {figure: 1, "services": 1, "integrated": int(self.catalogue.is_integrated(code, self.last) or False)}
        if item.get("eligible_full"):
            counts |= {"eligible_full": 1, "full_of_eligible": int(figure == "full")}
        if "parts" in item:
            counts |= {"parts_told": 1, "complete": int(len(set(item["parts"])) == _OBLIGATORY_PARTS)}
        processes = self.catalogue.processes(code, self.last)
        limit = precedence.limit_of(item, sheet)
        counts["covered_by_process"] = int(bool(processes))
        counts["process_sum"] = sum(precedence.process_sum_differs(process, limit) for _, process in processes)
        counts["sheet_differs"] = int(sheet is not None and bool(precedence.differences(item, sheet)))
        return counts

    def _timeliness(self, code: str) -> dict[str, int | None]:
        signed = [(act.decision, act.item) for act in self.catalogue.acts(code) if act.item["procedure_code"] == code]
        signed = [(decision, item) for decision, item in signed if self.first <= decision.signed_on <= self.last]
        decided = [decided_in_time(self.world, one) for one, _ in signed if one.legal_effective_on is not None]
        posted: list[Truth] = []
        for decision, item in signed:
            due_on, posted_on = posting_due_on(self.world, decision), decision.posted.get(code)
            if item["action"] != "abolished" and (posted_on is not None or due_on is None or self.last > due_on):
                posted.append(None if due_on is None else posted_on is not None and posted_on <= due_on)
        counts: dict[str, int | None] = {}
        if decided:
            counts |= {"decided": 1, "decided_in_time": _all(decided)}
        if posted:
            counts |= {"posting_owed": 1, "posted_in_time": _all(posted)}
        return counts

    def agencies(self) -> Iterator[Counted]:
        """The agencies of the tree on the last day that have a level, and whether each offers a service."""
        tree = self.world.tree_on(self.last)
        levels = tree.levels()
        offering: set[str] = set()
        offered_levels: set[str] = set()
        for act, _ in self.catalogue.services(self.last).values():
            if "agencies" in act.item:
                offering.update(map(tree.resolve, act.item["agencies"]))
            else:
                offered_levels.update(act.item["levels"])
        for code, level in sorted(levels.items()):
            offers = int(code in offering or level in offered_levels)
            counts = {"units": 1, f"units_{level}": 1, "units_not_offering": 1 - offers}
            counts |= {"units_offering": offers, f"units_offering_{level}": offers}
            yield Counted(code, code, None, counts, cuts={"level": level})


def count(world: World, first: date, last: date) -> Iterator[Counted]:
    """Decisions, procedures and agencies."""
    period = _Period(world, first, last)
    yield from map(period.decision, period.signed)
    yield from map(period.procedure, period.procedures())
    yield from period.agencies()


_WORDS: Final = {
    "decisions": "quyết định công bố",
    "procedures_covered": "TTHC được công bố",
    "items": "lượt TTHC trong các quyết định",
    "in_force": "TTHC đang có hiệu lực",
    "central": "do trung ương quy định",
    "local": "do địa phương quy định",
    "unknown_origin": "chưa rõ nơi quy định",
    "province": "cấp tỉnh",
    "district": "cấp huyện",
    "commune": "cấp xã",
    "vertical": "ngành dọc",
    "sum_of_lists": "tổng các danh mục theo cấp",
    "new": "ban hành mới",
    "amended": "sửa đổi, bổ sung",
    "replaced": "thay thế",
    "abolished": "bãi bỏ",
    "put_in": "đưa vào trong kỳ",
    "taken_out": "đưa ra trong kỳ",
    "level_3": "dịch vụ công mức độ 3",
    "level_4": "dịch vụ công mức độ 4",
    "partial": "dịch vụ công một phần",
    "full": "dịch vụ công toàn trình",
    "services": "dịch vụ công trực tuyến",
    "integrated": "đã tích hợp lên Cổng DVCQG",
    "units_offering": "cơ quan cung cấp dịch vụ công trực tuyến",
    **{
        f"units_offering_{level}": f"cơ quan cung cấp dịch vụ công trực tuyến, {word}"
        for level, word in _AGENCY_LEVELS.items()
    },
    "units": "cơ quan",
    **{f"units_{level}": f"cơ quan, {word}" for level, word in _AGENCY_LEVELS.items()},
    "covered_by_process": "TTHC có quy trình nội bộ",
    "process_decisions": "quyết định phê duyệt quy trình nội bộ",
    "process_procedures": "TTHC trong các quyết định đó",
}

_PARTS: Final = {
    "in_force_before": "TTHC có hiệu lực trước kỳ",
    "units_not_offering": "cơ quan không cung cấp dịch vụ công trực tuyến",
    "eligible_full": "TTHC đủ điều kiện toàn trình",
    "full_of_eligible": "TTHC đủ điều kiện và cung cấp toàn trình",
    "decided": "TTHC phải công bố trước ngày văn bản có hiệu lực",
    "decided_in_time": "công bố đúng hạn",
    "posting_owed": "TTHC phải công khai",
    "posted_in_time": "công khai đúng hạn",
    "parts_told": "TTHC có thông tin về các bộ phận tạo thành",
    "complete": "TTHC đủ các bộ phận bắt buộc",
    "abolished_not_in_force": "bãi bỏ TTHC không có hiệu lực",
    "new_already_in_force": "ban hành mới TTHC đang có hiệu lực",
    "replaces_unknown": "thay thế TTHC không có hiệu lực",
    "code_malformed": "mã TTHC không đúng mẫu",
    "decision_repealed_twice": "quyết định bị bãi bỏ hai lần",
    "sheet_differs": "khác với danh mục",
    "process_sum": "tổng giờ các bước khác thời hạn",
}

FIGURE_SET: Final = FigureSet(
    path="catalogue",
    title="Danh mục TTHC và dịch vụ công trực tuyến",
    unit=TENANT,
    needs=frozenset({"catalogue"}),
    figures=_WORDS,
    count=count,
    parts=_PARTS,
    rates=(
        Rate("svc.rate.3", "level_3", "in_force", "level 3 / in force"),
        Rate("svc.rate.4", "level_4", "in_force", "level 4 / in force"),
        Rate("svc.rate.partial", "partial", "in_force", "partial / in force"),
        Rate("svc.rate.full", "full", "in_force", "full / in force"),
        Rate("svc.online", "services", "in_force", "services / in force"),
        Rate("svc.full_of_eligible", "full_of_eligible", "eligible_full", "of the eligible, full / eligible (766 3.1)"),
        Rate("svc.integrated", "integrated", "services", "integrated services / services"),
        Rate("svc.units", "units_offering", "units", "agencies offering a service / agencies with a level"),
        Rate("proc.covered", "covered_by_process", "in_force", "in force with an internal process / in force"),
        Rate("proc.decided_in_time", "decided_in_time", "decided", "procedures decided in time / decided (766 1.1)"),
        Rate("proc.posted_in_time", "posted_in_time", "posting_owed", "procedures posted in time / owed (766 1.2)"),
        Rate("proc.complete", "complete", "parts_told", "with all seven parts / with parts told (766 1.3)"),
    ),
    checks=(
        Check(("in_force",), ("central", "local", "unknown_origin")),
        Check(("in_force", "taken_out"), ("in_force_before", "put_in")),
        Check(("sum_of_lists",), _LEVELS),
        Check(("in_force",), ("sum_of_lists",), "<="),
        Check(("services",), tuple(SERVICE_FIGURES.values())),
        Check(("services",), ("in_force",), "<="),
        Check(("integrated",), ("services",), "<="),
        Check(("units",), tuple(f"units_{level}" for level in _AGENCY_LEVELS)),
        Check(("units_offering",), tuple(f"units_offering_{level}" for level in _AGENCY_LEVELS)),
        Check(("units",), ("units_offering", "units_not_offering")),
        Check(("covered_by_process",), ("in_force",), "<="),
    ),
)
