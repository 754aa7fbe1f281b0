"""The figures of reviews (rà soát thủ tục hành chính): what was found, costs and savings, reduced terms."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from shared.registers.measures import Check, Counted, FigureSet, Known, Rate, World
from shared.registers.review.savings import savings
from shared.registers.review.wages import wage_anomalies, wages_of
from shared.vocabulary.local_time import local_date_of

LEVELS = {"province": "cấp tỉnh", "district": "cấp huyện", "commune": "cấp xã"}


def count(world: World, first: date, last: date) -> Iterator[Counted]:
    """Procedures last reviewed in the period, those whose term a decision signed in it reduced, and dossiers of such."""
    yield from _procedures(world, first, last)
    yield from savings(world, first, last)


def _procedures(world: World, first: date, last: date) -> Iterator[Counted]:
    reviews, reduced = world.records("review"), reduced_levels(world.records("catalogue"), first, last)
    tree = world.tree_on(last)
    wages = wages_of(tree.facts(tree.root))
    for code in reviews.keys() | reduced.keys():
        counts = _reviewed(reviews[code].facts, first, last) if code in reviews else {}
        if counts:
            counts |= dict.fromkeys(wage_anomalies(reviews[code].facts, wages), 1)
        for level in reduced.get(code, ()):
            counts |= {f"reduced_{level}": 1, "reduced_terms": len(reduced[code])}
        if counts:
            planned = reviews[code].facts.get("planned", {}) if code in reviews else {}
            yield Counted(code, None, code, counts, cuts={"group": planned["group"]} if "group" in planned else {})


def _reviewed(facts: Mapping[str, Any], first: date, last: date) -> dict[str, int]:
    reviewed, proposed = facts.get("reviewed"), facts.get("proposed")
    if reviewed is None or not first <= local_date_of(reviewed["at"]) <= last:
        return {}
    counts = {"reviewed": 1, "issues": reviewed["issues"]}
    if proposed is None:
        return counts
    counts |= {"issues_proposed": proposed["issues_proposed"]}
    before, after = reviewed.get("cost_vnd"), proposed.get("cost_vnd")
    if before is not None and after is not None:
        counts |= {"cost_before_vnd": before, "cost_after_vnd": after, "saving_vnd": before - after}
    return counts


def reduced_levels(decisions: Mapping[str, Known], first: date, last: date) -> dict[str, set[str]]:
    """By procedure, the levels at which decisions signed in the period reduced its term; a level named twice is one."""
    levels: dict[str, set[str]] = defaultdict(set)
    for decision in decisions.values():
        facts = decision.facts
        if facts.get("kind") == "reduced_terms" and first <= date.fromisoformat(facts["signed_on"]) <= last:
            for item in facts["items"]:
                levels[item["procedure_code"]].add(item["level"])
    return levels


FIGURE_SET = FigureSet(
    path="reviews",
    title="Rà soát, đơn giản hóa thủ tục hành chính",
    unit="review",
    needs=frozenset({"review", "catalogue", "dossier"}),
    figures={
        "reviewed": "thủ tục được rà soát",
        "cost_before_vnd": "chi phí tuân thủ trước khi đơn giản hóa, đồng/năm",
        "cost_after_vnd": "chi phí tuân thủ sau khi đơn giản hóa, đồng/năm",
        "saving_vnd": "chi phí tiết kiệm, đồng/năm",
        "issues": "vấn đề phát hiện",
        "issues_proposed": "vấn đề có phương án",
        "reduced_terms": "thời hạn được cắt giảm",
        **{f"reduced_{level}": f"thời hạn được cắt giảm, {name}" for level, name in LEVELS.items()},
        "days_saved": "ngày tiết kiệm nhờ cắt giảm thời hạn (days saved)",
        "hours_saved": "giờ làm việc tiết kiệm, thời hạn tính theo giờ (hours saved)",
    },
    count=count,
    parts={
        "reduced_vertical": "thời hạn được cắt giảm, ngành dọc",
        "reduced_dossiers": "hồ sơ kết thúc trong kỳ có thời hạn được cắt giảm",
        "reduced_in_time": "trong đó kết thúc đúng thời hạn mới",
        "saving_incomparable": "trong đó thời hạn cũ và mới không cùng đơn vị",
        "wage_differs": "thủ tục tính theo thu nhập bình quân khác mức quy định",
    },
    rates=(
        Rate("cost.cut", "saving_vnd", "cost_before_vnd", "sum of savings / sum of costs before, with both sheets"),
        Rate("review.issues", "issues_proposed", "issues", "issues_proposed / issues"),
        Rate("reduced.on_time", "reduced_in_time", "reduced_dossiers", "in time under the new limit / with a reduced term"),
    ),
    checks=(
        Check(("cost_before_vnd",), ("cost_after_vnd", "saving_vnd")),
        Check(("reduced_in_time",), ("reduced_dossiers",), "<="),
        Check(("reduced_terms",), (*(f"reduced_{level}" for level in LEVELS), "reduced_vertical")),
    ),
    cuts={"group": "nhóm thủ tục"},
)
