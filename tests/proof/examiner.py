"""Random questions of every kind to a running product, each answer compared with a recount from the events."""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from tests.oracle.answers import UNKNOWN, Judge, figure, pieces_of
from tests.oracle.comparison import figure_differences
from tests.oracle.computation import Computation
from tests.oracle.figures import PATHS, Scope, dossiers_behind, effective_to, scope, summary
from tests.oracle.histories import Event
from tests.oracle.log import instant
from tests.oracle.stack import FIELDS, Reader, of
from tests.oracle.tree import OracleTree, Version, changes

KINDS = ("plain", "filtered", "as of", "tree on", "by cut", "drill-down")
CUTS = ("agency", "procedure", "field", "channel", "quarter", "month", "week", "day")
LONGEST = {"quarter": 3_000, "month": 900, "week": 200, "day": 60}

REFORM_EVE, REFORM = "2022-12-31", "2023-01-01"


def province(tenant: str) -> list[Version]:
    """A tree that changes: abolished agencies with one heir and with two, one that moved, one that is new, two not in it."""
    plain = [{"code": f"H51.{number:02}", "parent": "H51"} for number in (1, 2, 4, 5, 7, 9, 12)]
    told = [
        {"code": "H51"},
        *plain,
        {"code": "H51.03", "parent": "H51", "valid_to": REFORM_EVE},
        {"code": "H51.03", "parent": "H51.02", "valid_from": REFORM},
        {"code": "H51.06", "parent": "H51", "valid_to": REFORM_EVE, "successors": ["H51.07"]},
        {"code": "H51.08", "parent": "H51", "valid_to": REFORM_EVE, "successors": ["H51.09", "H51.12.03"]},
        {"code": "H51.02.101", "parent": "H51.02", "valid_to": "2021-06-30", "successors": ["H51.06"]},
        {"code": "H51.12.03", "parent": "H51.12", "valid_from": "2019-06-01"},
    ]
    versions = []
    for version in told:
        named = {"name": f"Cơ quan {version['code']}"} | version
        codes = {key: of(str(named[key]), tenant) for key in ("code", "parent") if key in named}
        heirs = [of(code, tenant) for code in named.get("successors", ())]
        versions.append(named | codes | ({"successors": heirs} if heirs else {}))
    return versions


class Examiner(Judge):
    """The oracle's side of one tenant. Differences are gathered, not raised."""

    def __init__(self, reader: Reader, told: list[Event], seed: int | str, versions: Sequence[Version]) -> None:
        super().__init__(reader, told, seed)
        self.versions = versions
        self.asked: Counter[str] = Counter()
        self.compared: Counter[str] = Counter()
        self.differences: list[str] = []
        self.as_of: datetime | None = None
        self.position = len(self.events)

    # ------------------------------------------------------------------------------------------- what is asked

    def tree(self, on: date) -> OracleTree:
        return OracleTree(self.versions, str(self.tenant), on)

    def _filters(self, tree: OracleTree) -> tuple[dict[str, str], Scope]:
        """One filter or more."""
        while True:
            parameters, _ = self._scope()
            named = {name: parameters[name] for name in ("agency", "receiving_agency") if name in parameters}
            if parameters and all(agency in tree.standing for agency in named.values()):
                break
        rest = self._beside({name: value for name, value in parameters.items() if name not in named})
        holds = cache(tree.holds)

        def inside(dossier: Computation) -> bool:
            places = {"agency": dossier.agency, "receiving_agency": dossier.receiving_agency}
            of_desk = "receiving_agency" not in named or dossier.received_at is not None
            return of_desk and all(holds(agency, places[name]) for name, agency in named.items()) and rest(dossier)

        return parameters, inside

    def _beside(self, parameters: dict[str, str]) -> Scope:
        procedure, named, channel = (parameters.get(name) for name in ("procedure", "field", "channel"))
        beside = scope(procedures=None if procedure is None else [procedure], channel=channel)
        return lambda d: beside(d) and (named is None or (FIELDS.get(d.procedure or "") or UNKNOWN) == named)

    def _question(self, *, filtered: bool, tree_on: bool, longest: int = 4_000) -> Question:
        start, to = self._period(longest)
        on = effective_to(to, self.today)
        asked: dict[str, str] = {"from_": str(start), "to": str(to)}
        if tree_on:
            on = self._tree_day()
            asked["tree_on"] = str(on)
        if self.as_of is not None:
            asked["as_of"] = self.as_of.isoformat()
        tree = self.tree(on)
        parameters, belongs = self._filters(tree) if filtered else ({}, _everything)
        return Question(asked | parameters, start, effective_to(to, self.today), tree, belongs)

    def _tree_day(self) -> date:
        days = [date.fromisoformat(day) for day in changes(self.versions)]
        return self.chance.choice([*days, *days, self._day(), self.today])

    # ------------------------------------------------------------------------------------------- the kinds

    async def ask(self, kind: str) -> None:
        """One question of a kind (`as of` is asked of an examiner of the past)."""
        self.asked[kind] += 1
        match kind:
            case "plain":
                await self._summary(self._question(filtered=False, tree_on=False))
            case "filtered":
                await self._summary(self._question(filtered=True, tree_on=False))
            case "as of":
                question = self._question(filtered=self.chance.random() < 0.7, tree_on=self.chance.random() < 0.3)
                if self.chance.random() < 0.5:
                    await self._summary(question)
                else:
                    await self._table(self.chance.choice(CUTS[:4]), question)
            case "tree on":
                question = self._question(filtered=self.chance.random() < 0.6, tree_on=True)
                if self.chance.random() < 0.3:
                    await self._summary(question)
                else:
                    await self._table("agency", question)
            case "by cut":
                by = self.chance.choice(CUTS)
                question = self._question(filtered=self.chance.random() < 0.6, tree_on=False, longest=LONGEST.get(by, 4_000))
                await self._table(by, question)
            case "drill-down":
                tree_on = self.chance.random() < 0.3
                await self._drill(self._question(filtered=self.chance.random() < 0.7, tree_on=tree_on))
            case _:
                raise AssertionError(kind)

    def _expect(self, what: str, ours: Any, theirs: Any, asked: Any) -> None:
        if ours != theirs:
            self.differences.append(f"{self.tenant} {what} {asked}: oracle {ours}, answer {theirs}")

    def _same(self, expected: dict[str, Any], answer: dict[str, Any], asked: Any) -> None:
        self.compared["figures"] += len(PATHS)
        self.compared["rates"] += len(expected["rates"])
        self.differences += [f"{self.tenant} {asked}: {found}" for found in figure_differences(expected, answer)]

    def _of(self, question: Question, dossiers: Sequence[Computation] | None = None) -> dict[str, Any]:
        if dossiers is not None:
            return summary(dossiers, question.start, question.to)
        return summary(self.dossiers, question.start, question.to, question.belongs)

    async def _summary(self, question: Question) -> dict[str, Any]:
        answer: dict[str, Any] = await self.reader.get("/v1/stats/summary", **question.asked)
        self._same(self._of(question), answer, question.asked)
        self._expect("position", self.position, answer["as_of"]["position"], question.asked)
        self._expect("period", {"from": str(question.start), "to": str(question.to)}, answer["period"], question.asked)
        self._expect("checks", True, all(check["holds"] for check in answer["checks"]), question.asked)
        return answer

    async def _table(self, by: str, question: Question) -> None:
        answer = await self.reader.get(f"/v1/stats/by/{by}", **question.asked)
        asked = f"by {by} {question.asked}"
        self._same(self._of(question), answer["total"], asked)
        rows = {row["key"]: row for row in answer["rows"]}
        self._expect("rows told twice", len(answer["rows"]), len(rows), asked)
        if by in LONGEST:
            pieces = list(pieces_of(question.start, question.to, by))
            self._expect("rows", [key for key, _, _ in pieces], list(rows), asked)
            for key, begin, end in pieces:
                self._same(summary(self.dossiers, begin, end, question.belongs), rows[key], f"{asked} row {key}")
            return
        groups: dict[str, list[Computation]] = {}
        row_of = self._key(by, question)
        for dossier in filter(question.belongs, self.dossiers):
            groups.setdefault(row_of(dossier), []).append(dossier)
        for key in sorted(groups.keys() | rows.keys()):
            expected = self._of(question, groups.get(key, []))
            if key in rows:
                self._same(expected, rows[key], f"{asked} row {key}")
            elif any(figure(expected, path) for path in PATHS):
                self.differences.append(f"{self.tenant} {asked}: no row {key}, oracle {expected}")

    def _key(self, by: str, question: Question) -> Any:
        if by != "agency":
            return self._row_of(by, str(self.tenant))
        top = question.asked.get("agency", str(self.tenant))
        return lambda dossier: question.tree.row(top, dossier.agency, UNKNOWN)

    async def _drill(self, question: Question) -> None:
        """By the answer's own link: the list has exactly the dossiers of the figure, also as CSV."""
        answer = await self._summary(question)
        behind = dossiers_behind(self.dossiers, question.start, question.to, question.belongs)
        for path in self.chance.sample(PATHS, 3):
            link = answer["dossiers"].replace("{figure}", path)
            asked = f"list {link}"
            wanted = sorted(behind[path])
            self.compared["lists"] += 1
            self.compared["dossiers in lists"] += len(wanted)
            self._expect("count", figure(answer, path), len(wanted), asked)
            if self.chance.random() < 0.3:
                reply = await self.reader.client.get(f"{link}&format=csv")
                codes = [row[0] for row in csv.reader(io.StringIO(reply.text.removeprefix("\ufeff")))][1:]
            else:
                codes = await self._codes(link)
            self._expect("dossiers", wanted, sorted(codes), asked)

    async def _codes(self, link: str) -> list[str]:
        codes: list[str] = []
        cursor = ""
        while True:
            reply = await self.reader.client.get(f"{link}&limit=500{f'&cursor={cursor}' if cursor else ''}")
            assert reply.status_code == 200, f"{link}: {reply.text}"
            page = reply.json()
            codes += [item["code"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return codes


class Question:
    """What is asked, and of which dossiers that is."""

    def __init__(self, asked: dict[str, str], start: date, to: date, tree: OracleTree, belongs: Scope) -> None:
        self.asked = asked
        self.start = start
        self.to = to
        self.tree = tree
        self.belongs = belongs


def _everything(_dossier: Computation) -> bool:
    return True


def messiness(events: Sequence[Event], dossiers: Sequence[Computation]) -> Counter[str]:
    """How many dossiers have what; ``events`` in the order in which they were told, each once."""
    found: Counter[str] = Counter()
    last_told: dict[str, datetime] = {}
    disordered: set[str] = set()
    for event in events:
        code, moment = event["subject"], instant(event["time"])
        if moment < last_told.setdefault(code, moment):
            disordered.add(code)
        last_told[code] = max(moment, last_told[code])
    read_reported: dict[str, int] = Counter(event["subject"] for event in events)
    void_of: Counter[str] = Counter(event["subject"] for event in events if ".voided." in event["type"])
    for dossier in dossiers:
        names = Counter(told.name for told in dossier.events)
        roles = [role for role in dossier.roles if role is not None]
        reworked = any(a == "end" and b == "other" for a, b in itertools.pairwise(roles))
        dates = dossier.due_dates(dossier.setting)[1]
        traits = {
            "out of order": dossier.code in disordered,
            "with an event voided": read_reported[dossier.code] - void_of[dossier.code] > len(dossier.events),
            "reworked after an end": reworked,
            "transferred": names["transferred"] > 0,
            "supplemented twice or more": names["supplemented"] > 1,
            "extended or supplemented after the due date": any(t.name in ("extended", "supplemented") for t in dates),
            "extended after the due date": any(t.name == "extended" for t in dates),
            "never received": dossier.received_at is None,
            "ended": dossier.ended_at is not None,
        }
        found.update(name for name, has in traits.items() if has)
    return found
