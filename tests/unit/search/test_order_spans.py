"""When the dossiers whose code begins in some way are received."""

from __future__ import annotations

from datetime import date

import pytest

from shared.search.store.order_spans import usually_received


@pytest.mark.parametrize(
    ("prefix", "begin", "behind"),
    [
        ("H51.12-22", date(2022, 1, 1), date(2023, 2, 1)),
        ("H51.12-2203", date(2022, 3, 1), date(2022, 5, 2)),
        ("H51.12-220315", date(2022, 3, 1), date(2022, 5, 2)),
        ("H51.12-2212", date(2022, 12, 1), date(2023, 2, 1)),
        ("H51.12-221", date(2022, 10, 1), date(2023, 2, 1)),
        ("000.00.12.H51-200221-0001", date(2020, 2, 1), date(2020, 4, 1)),
        # no month of a date, but perhaps of a year with four digits
        ("H51.12-2022", date(2021, 1, 1), date(2023, 2, 1)),
        ("H51.12-20220315", date(2022, 3, 1), date(2022, 5, 2)),
        ("H51.12-20220315-", date(2022, 3, 1), date(2022, 5, 2)),
    ],
)
def test_a_beginning_tells_the_time(prefix: str, begin: date, behind: date) -> None:
    found = usually_received(prefix)
    assert found is not None
    assert found[0] <= begin
    assert found[1] >= behind
    if "-2022" not in prefix:
        assert found == (begin, behind)


@pytest.mark.parametrize("prefix", ["H51", "H51.12-", "H51.12-2", "H51.12-20", "H51.12-22-", "H51.12-X", "H51.12-19220315"])
def test_a_beginning_tells_nothing(prefix: str) -> None:
    assert usually_received(prefix) is None
