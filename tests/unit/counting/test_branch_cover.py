"""A cover counts each agency that is asked for once, in its row, and nobody else."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from shared.counting.rules.branch_cover import RollupChoice, choose_rollups

CODES = st.sampled_from(
    ["", "H51", "000.00.04.H51", "000.00.05.H51"]
    + [f"H51.{a:02d}" for a in range(1, 4)]
    + [f"H51.{a:02d}.{b:02d}" for a in range(1, 4) for b in range(1, 4)]
    + [f"H51.01.01.{c}" for c in (1, 10, 101)]
)
SEEN = st.sets(CODES)


def counted(cover: RollupChoice, seen: set[str]) -> Counter[tuple[str, str | None]]:
    """Agencies with their rows, as the sums of the cover count them."""
    found: Counter[tuple[str, str | None]] = Counter()
    for kind, code, row in zip(cover.kinds, cover.codes, cover.rows, strict=True):
        members = {code} if kind == "agency" else {one for one in seen if one.startswith(f"{code}.")}
        found.update((member, row) for member in members)
    return found


@given(SEEN, st.dictionaries(CODES, st.sampled_from(["a", "b", None])))
def test_each_agency_counts_once_in_its_row(seen: set[str], rows: dict[str, str | None]) -> None:
    seen |= rows.keys()
    assert counted(choose_rollups(rows, seen), seen) == Counter(rows.items())


@given(SEEN, st.sets(CODES))
def test_an_agency_that_is_not_asked_for_keeps_its_branches_out(seen: set[str], asked: set[str]) -> None:
    rows = dict.fromkeys(asked & seen, "row")
    assert counted(choose_rollups(rows, seen), seen) == Counter(rows.items())


def test_a_large_scope_is_few_sums() -> None:
    seen = {f"H51.{a:02d}.{b:02d}" for a in range(1, 13) for b in range(1, 21)} | {f"H51.{a:02d}" for a in range(1, 13)}
    cover = choose_rollups({code: code[:6] for code in seen}, seen)
    assert Counter(cover.kinds) == {"branch": 12, "agency": 12}
    department = choose_rollups({code: None for code in seen if code.startswith("H51.07")}, seen)
    assert sorted(zip(department.kinds, department.codes, strict=True)) == [("agency", "H51.07"), ("branch", "H51.07")]


def test_the_widest_branch_is_taken() -> None:
    seen = {"H51.01.01.101", "H51.01.01.102", "H51.01.02"}
    assert choose_rollups(dict.fromkeys(seen), seen).codes == ["H51.01"]
    assert sorted(choose_rollups(dict.fromkeys(seen - {"H51.01.02"}), seen).codes) == ["H51.01.01"]
