"""The answer of the figures has every figure of the domain at its path."""

from dataclasses import fields

import orjson

from services.api.schemas.stats import FiguresOut, nested
from shared.domain.report import Figure, Sums, report


def test_every_figure_stands_at_its_path() -> None:
    sums = Sums(**{field.name: 3**number for number, field in enumerate(fields(Sums))})
    answer = orjson.loads(orjson.dumps(nested(sums), option=orjson.OPT_NON_STR_KEYS))
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
