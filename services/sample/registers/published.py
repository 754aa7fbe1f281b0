"""The published totals beside what a running motcua answers: given tables, form II.05, index 766, rates of dossiers."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.resources import files
from typing import Any, Final

import httpx
from rich.console import Console
from rich.table import Table

from services.sample.registers.agencies import SEVEN_STEPS
from services.sample.registers.envelopes import YEAR
from services.sample.replay import asked
from shared.counting.rules.period_sums import percent

OBSERVED_YEAR: Final = "2023"
OBSERVATION: Final = {
    "indicator": "5.4",
    "from": f"{OBSERVED_YEAR}-01-01",
    "to": f"{OBSERVED_YEAR}-12-31",
    "numerator": 144_574,
    "denominator": 184_513,
    "source": "Bộ chỉ số 766 (quan sát)",
    "source_on": f"{OBSERVED_YEAR}-12-31",
}
"""Given and not made of events: it is of 184,513 dossiers."""

_POINTS: Final = {"5.2": "4.42", "5.3": "3.33", "5.4": "5.22"}
_VALUES: Final = {"5.2": "73.68", "5.3": "55.47", "5.4": "78.35"}
_HOURS_A_DAY: Final = 8


@dataclass(frozen=True, slots=True)
class PublishedLine:
    """One published figure. ``computed``: the product's answer; None: it has no such figure, the printed one is quoted."""

    source: str
    figure: str
    printed: int | str
    computed: int | str | None

    @property
    def is_quoted(self) -> bool:
        """Whether the printed text is no number, and is kept as it is."""
        return _number(self.printed) is None

    @property
    def agrees(self) -> bool:
        """To the digit; what is only quoted is compared with nothing."""
        return self.is_quoted or (self.computed is not None and _number(self.printed) == _number(self.computed))


def _number(printed: int | str) -> Decimal | None:
    """``46,85%`` and ``46.85`` as the same number; None: a malformed one."""
    try:
        return Decimal(str(printed).removesuffix("%").replace(",", "."))
    except InvalidOperation:
        return None


def given_tables() -> dict[str, dict[str, Any]]:
    """The published tables of the sample, as ``PUT /v1/given/{id}`` takes them, by id."""
    found = sorted(files("services.sample").joinpath("given").iterdir(), key=lambda file: file.name)
    return {file.name.removesuffix(".json"): json.loads(file.read_text(encoding="utf-8")) for file in found}


def published_lines(client: httpx.Client) -> Iterator[PublishedLine]:
    """Every published figure that the sample has, asked of the product.

    Raises:
        ReplayError: an answer other than expected.
    """
    for name, table in given_tables().items():
        period = {"from": table["from"], "to": table["to"]}
        answer = asked(client, f"/v1/stats/{table['register']}", period)
        beside: dict[str, Any] = next((one["figures"] for one in answer["given"] if one["id"] == name), {})
        for figure, printed in table["figures"].items():
            yield PublishedLine(name, figure, printed, _computed(client, name, figure, beside))
    yield from _form_lines(client)
    yield from _index_lines(client)
    yield from _dossier_lines(client)


def _computed(client: httpx.Client, table: str, figure: str, beside: Mapping[str, Any]) -> int | str | None:
    ours = beside.get(figure, {})
    computed: int | str | None = ours.get("rate") if ours.get("ours") is None else ours["ours"]
    question = _OTHER_QUESTIONS.get(f"{table}.{figure}")
    return question(client) if computed is None and question is not None else computed


def _form_lines(client: httpx.Client) -> Iterator[PublishedLine]:
    form = asked(client, "/v1/reports/II.05", {"period": str(YEAR)})
    for figure in ("f1", "f6", "f8"):
        yield PublishedLine("form II.05", figure, 65, form["total"]["columns"][figure])


def _index_lines(client: httpx.Client) -> Iterator[PublishedLine]:
    index = asked(client, "/v1/indices/766", {"period": OBSERVED_YEAR})
    found = {one["id"]: one for one in index["indicators"]}
    for name, points in _POINTS.items():
        yield PublishedLine("index 766", f"{name} value", _VALUES[name], found[name]["value"])
        yield PublishedLine("index 766", f"{name} points", points, found[name]["points"])


def _dossier_lines(client: httpx.Client) -> Iterator[PublishedLine]:
    """Of one dossier in a hundred the printed rates come out."""
    figures = asked(client, "/v1/stats/summary", {"period": str(YEAR)})
    resolved = figures["resolved"]
    rate = figures["rates"]["resolved_on_time"]["value"]
    yield PublishedLine("dossiers, 1 of 100", "on time, rate A %", "99.93", rate)
    late = percent(resolved["late"], resolved["total"])
    yield PublishedLine("dossiers, 1 of 100", "late %", "0.07", late)


def _seven_steps(client: httpx.Client) -> list[Mapping[str, Any]]:
    answer = asked(client, f"/v1/services/{SEVEN_STEPS.code}", {"on": "2025-12-31"})
    steps: list[Mapping[str, Any]] = answer["processes"][0]["steps"]
    return steps


def _hours(client: httpx.Client) -> int:
    return sum(step.get("hours") or 0 for step in _seven_steps(client))


def _review(client: httpx.Client) -> tuple[int, int, int]:
    """Persons, and the cost of one time before and after."""
    answer = asked(client, "/v1/reviews/2.000635", {})
    sheet = next(event["data"]["sheet_before"] for event in answer["timeline"] if event["name"] == "reviewed")
    persons = int(sheet["persons"])
    return persons, answer["cost_before_vnd"] // persons, answer["cost_after_vnd"] // persons


def _groups(client: httpx.Client) -> int:
    rows = asked(client, "/v1/stats/reviews/by/group", {"period": str(YEAR)})["rows"]
    return sum(row["figures"]["reviewed"] > 0 and row["key"] != "unknown" for row in rows)


def _approvals(client: httpx.Client) -> int:
    return len({one["decision"] for one in asked(client, "/v1/reviews", {})["items"] if one["year"] == YEAR})


def _proposals(client: httpx.Client) -> int | None:
    figures = asked(client, "/v1/stats/reviews", {"period": str(YEAR)})["figures"]
    proposed: int | None = figures["issues_proposed"]
    return proposed


_OTHER_QUESTIONS: Final[Mapping[str, Callable[[httpx.Client], int | str | None]]] = {
    "process_1.012994_2025.process_steps": lambda client: len(_seven_steps(client)),
    "process_1.012994_2025.process_hours": _hours,
    "process_1.012994_2025.process_days": lambda client: _hours(client) // _HOURS_A_DAY,
    "review_2.000635_2025.persons": lambda client: _review(client)[0],
    "review_2.000635_2025.cost_per_time_before_vnd": lambda client: _review(client)[1],
    "review_2.000635_2025.cost_per_time_after_vnd": lambda client: _review(client)[2],
    "soctrang_2022_reviews.groups": _groups,
    "soctrang_2022_reviews.proposed": _proposals,
    "soctrang_2022_reviews.approved": _approvals,
}
"""What is printed of things that are no figure of a register: where another answer has it."""


def print_lines(console: Console, lines: list[PublishedLine]) -> bool:
    """Print both sides; True if all agree that can be compared."""
    sheet = Table(title="published | computed", expand=False)
    for heading in ("source", "figure"):
        sheet.add_column(heading)
    for heading in ("printed", "computed"):
        sheet.add_column(heading, justify="right")
    sheet.add_column("")
    for line in lines:
        remark = "quoted" if line.is_quoted else "=" if line.agrees else "DIFFERS"
        shown = "-" if line.computed is None else str(line.computed)
        sheet.add_row(line.source, line.figure, str(line.printed), shown, remark)
    console.print(sheet)
    compared = [line for line in lines if not line.is_quoted]
    agreeing = sum(line.agrees for line in compared)
    console.print(f"{agreeing} of {len(compared)} published figures agree; {len(lines) - len(compared)} quoted")
    return agreeing == len(compared)
