"""The answer of the figures has every figure of the domain at its path."""

from dataclasses import asdict
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from services.api.figures.schemas import FiguresOut, nested, rates_answer
from shared.counting.rules.figure_definitions import Figure
from shared.counting.rules.period_sums import SUM_NAMES, Check, Sums, report


def test_every_figure_stands_at_its_path() -> None:
    sums = Sums.of(**{name: 3**number for number, name in enumerate(SUM_NAMES)})
    answer = orjson.loads(orjson.dumps(nested(sums)))
    expected = report(sums).figures
    paths: dict[str, int] = {}

    def walk(room: dict[str, object], above: str) -> None:
        for name, value in room.items():
            if isinstance(value, dict):
                walk(value, f"{above}{name}.")
            elif isinstance(value, int):
                paths[f"{above}{name}"] = value

    walk({name: answer[name] for name in ("received", "resolved", "open")}, "")
    assert paths == {figure.value: expected[figure] for figure in Figure}
    FiguresOut.model_validate(answer)


@given(st.lists(st.integers(0, 10**6), min_size=len(SUM_NAMES), max_size=len(SUM_NAMES)))
def test_what_is_answered_is_what_the_domain_reports(counts: list[int]) -> None:
    sums = Sums.of(**dict(zip(SUM_NAMES, counts, strict=True)))
    answer, whole = nested(sums, (Check("one more", holds=False),)), report(sums)
    for figure, count in whole.figures.items():
        logged: Any = answer
        for part in figure.value.split("."):
            logged = logged[part]
        assert logged == count, figure
    assert answer["rates"] == rates_answer(sums) == {key.value: asdict(rate) for key, rate in whole.rates.items()}
    assert answer["checks"] == [*map(asdict, whole.checks), {"identity": "one more", "holds": False}]
