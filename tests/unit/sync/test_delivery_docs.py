"""docs/delivery.md publishes the tables that the code acts on. `python tests/unit/sync/test_delivery_docs.py` rewrites it."""

import re
from pathlib import Path

import pytest

from shared.sync.rules import circuit, priorities
from shared.sync.rules.reconciliation import COMPARISON_SHARE, REPAIRED, DifferenceKind
from shared.sync.rules.retry import RETRY_TABLE, SUSPECT_TRIES, ErrorClass

DOC = Path(__file__).parents[3] / "docs" / "delivery.md"


def retry_table() -> str:
    lines = [
        "| error class | first wait (s) | longest wait (s) | parks after | counts as a try | in calls of |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ErrorClass:
        rule = RETRY_TABLE[kind]
        parks = "never" if rule.tries is None else "at once" if rule.tries == 0 else f"{rule.tries} tries"
        waits = ("-", "-") if rule.tries == 0 else (f"{rule.first_seconds:g}", f"{rule.most_seconds:g}")
        sizes = "-" if rule.tries == 0 else ", ".join(str(size) for size in rule.call_sizes)
        lines.append(f"| `{kind.value}` | {waits[0]} | {waits[1]} | {parks} | {'yes' if rule.counts else 'no'} | {sizes} |")
    return "\n".join(lines)


def circuit_text() -> str:
    seconds = ", ".join(f"{value:g}" for value in circuit.OPEN_SECONDS)
    refused = ", ".join(f"{value:g}" for value in circuit.REFUSED_SECONDS)
    return f"""| | |
|---|---|
| opens after | {circuit.BREAK_AFTER} failed calls in a row, or at once on 503 with `Retry-After` or a refused login |
| a call is no evidence when | all its dossiers failed {SUSPECT_TRIES} times or more |
| stays open for | {seconds} s, each between three quarters and the whole; after a refusal {refused} s |
| then | one probe with real work, by one worker; the others wait |
| after a good probe | {circuit.FIRST_SHARE:.0%} of the pace, doubling every {circuit.DOUBLING_SECONDS:g} s |
| a probe without an answer is lost after | {circuit.PROBE_SECONDS:g} s |
| pace | {circuit.RATE_SHARE:.0%} of `MOTCUA_PORTAL_CALLS_PER_MINUTE`; live work may run ahead by {circuit.BURST_SHARE:.0%} of a minute, what was missed is made up for up to {circuit.CREDIT_SHARE:.1%} of one |
| a `Retry-After` is believed up to | {circuit.MOST_RETRY_AFTER_SECONDS:g} s |"""


def lanes_text() -> str:
    return f"""| a change is live when | |
|---|---|
| it is recorded within {priorities.LIVE_AGE.days} day of happening | always |
| it is told later, and the portal follows the dossier | unless a batch has more than {priorities.MOST_LATE_FOLLOWED} such dossiers: an import |
| it is told later, of a dossier new to the portal | unless a batch has more than {priorities.MOST_LATE_NEW} such dossiers, or more than {priorities.MOST_LIVE_WAITING} would wait in the live lane |"""


KINDS = {
    DifferenceKind.MISSING_THERE: "the portal does not have it: lost silently",
    DifferenceKind.STATUS_DIFFERS: "its status there is another one",
    DifferenceKind.DATES_DIFFER: "its status agrees, a date does not",
    DifferenceKind.CONTENT_DIFFERS: "by its list, another field there is not what it acknowledged",
    DifferenceKind.STEPS_MISSING: "acknowledged steps are not in its list",
    DifferenceKind.STEPS_BEYOND: "its list has steps that were never sent",
    DifferenceKind.MISSING_HERE: "its list has a dossier of which nothing is known here",
}


def comparison_text() -> str:
    lines = [f"| found, with at most {COMPARISON_SHARE:.0%} of the calls | what | then |", "|---|---|---|"]
    for kind in DifferenceKind:
        then = "sent again" if kind in REPAIRED else "listed: somebody must look"
        lines.append(f"| `{kind.value}` | {KINDS[kind]} | {then} |")
    return "\n".join(lines)


SECTIONS = {"retry table": retry_table, "circuit": circuit_text, "lanes": lanes_text, "comparison": comparison_text}


def _section(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: [^\n]*-->\n)(.*?)(\n?<!-- end of {name} -->)", re.DOTALL)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_published_table_is_the_one_in_force(name: str) -> None:
    found = _section(name).search(DOC.read_text())
    assert found is not None
    assert found[2] == SECTIONS[name]()


if __name__ == "__main__":
    text = DOC.read_text()
    for name, render in SECTIONS.items():
        text = _section(name).sub(lambda found, render=render: f"{found[1]}{render()}\n{found[3].lstrip()}", text)
    DOC.write_text(text)
