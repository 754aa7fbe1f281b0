"""What the stack answers about a tenant against the oracle: dossiers, lists, the feed, figures, drill-downs, rights."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from shared.access.store.keys import Permission
from tests.oracle.comparison import differences, figure_differences, moment
from tests.oracle.computation import Computation, compute
from tests.oracle.figures import (
    PATHS,
    Scope,
    dossiers_behind,
    effective_to,
    in_subtree,
    overdue_on,
    scope,
    summary,
)
from tests.oracle.histories import AGENCIES, CHANNELS, PROCEDURES, Event
from tests.oracle.log import instant, local_date
from tests.oracle.stack import FIELDS, KNOWN_AGENCIES, Reader, Stack, identity, of, unique

UNKNOWN = "unknown"
UNKNOWN_CODES = ("unknown_procedure", "unknown_agency")
ADDITIVE = tuple(path for path in PATHS if not path.endswith("total"))
ONE_DAY = timedelta(days=1)


def figure(answer: dict[str, Any], path: str) -> int:
    value: Any = answer
    for step in path.split("."):
        value = value[step]
    assert isinstance(value, int)
    return value


class Judge:
    """The oracle's side of one tenant, and the questions that are put to both."""

    def __init__(self, reader: Reader, logged: list[Event], seed: int | str) -> None:
        self.reader = reader
        self.tenant = reader.tenant
        self.events = unique(logged)
        self.oracle = compute([event for event in self.events if event["type"].startswith("vn.motcua.dossier.")])
        self.dossiers = list(self.oracle.values())
        self.chance = random.Random(f"questions of {seed}")
        self.today = local_date(datetime.now(UTC))
        self.known_agencies = {of(code, self.tenant) for code in KNOWN_AGENCIES}
        named = {
            str(value)
            for event in self.events
            for name, value in (event.get("data") or {}).items()
            if name in ("agency_code", "receiving_agency_code")
        }
        # an agency that nobody named is refused, and the tables have no row of it
        self.agencies = [code for code in (of(one, self.tenant) for one in AGENCIES) if code in self.known_agencies | named]

    # ------------------------------------------------------------------------------------------- the log

    async def log(self, stack: Stack) -> None:
        """Each identity once, positions without a hole, what was told, nothing else."""
        items: list[dict[str, Any]] = []
        after = 0
        while True:
            page = await stack.get("/v1/events", after=after, limit=self.chance.choice((7, 100, 1000)))
            items.extend(page["items"])
            if page["next"] == after:
                break
            after = page["next"]
        assert [item["position"] for item in items] == list(range(1, len(self.events) + 1))
        assert stack.accepted == len(self.events)
        recorded = [moment(item["recorded_at"]) for item in items]
        assert recorded == sorted(recorded)  # type: ignore[type-var]
        logged = {identity(item["event"]): item for item in items}
        assert len(logged) == len(items)
        for event in self.events:
            item = logged[identity(event)]
            assert instant(item["event"]["time"]) == instant(event["time"])
            assert (item["event"]["type"], item["event"]["subject"]) == (event["type"], event["subject"])
            assert stack.positions.get(identity(event), item["position"]) == item["position"]

    # ------------------------------------------------------------------------------------------- dossiers

    def anomalies(self, dossier: Computation) -> list[str]:
        codes = dossier.anomalies + dossier.unknown(set(FIELDS), self.known_agencies)
        return sorted({code for code, _, _ in codes})

    async def every_dossier(self) -> None:
        found: list[str] = []
        for code, dossier in self.oracle.items():
            answer = await self.reader.get(f"/v1/dossiers/{code}")
            found += differences(dossier, answer)
            found += self._more_differences(dossier, answer)
        assert not found, "\n".join(found[:20])

    def _more_differences(self, dossier: Computation, answer: dict[str, Any]) -> list[str]:
        code = dossier.code
        unknown = Counter(one["code"] for one in answer["anomalies"] if one["code"] in UNKNOWN_CODES)
        wanted = Counter(kind for kind, _, _ in dossier.unknown(set(FIELDS), self.known_agencies).elements())
        effective = [identity(entry) for entry in answer["timeline"] if entry["effective"]]
        logged = {identity(event) for event in self.events if event["subject"] == code}
        dates = answer["due_dates"]
        pairs = {
            "unknown": (wanted, unknown),
            "open": (dossier.is_open, answer["open"]),
            "original_due_at": (dossier.original_due_at, moment(answer["original_due_at"])),
            "overdue": (overdue_on(dossier, self.today), answer["overdue"]),
            "timeline": (logged, {identity(entry) for entry in answer["timeline"]}),
            "effective": ([logged.identity for logged in dossier.events], effective),
            "dates set": ([when for _, when in dossier.setting], [moment(one["at"]) for one in dates["settings"]]),
            "postponements": (
                [logged.identity for logged in dossier.postponements],
                [identity(one["set_by"]) for one in dates["postponements"]],
            ),
            "due date in force": (
                dossier.due_at,
                None if dates["in_force"] is None else moment(dates["in_force"]["at"]),
            ),
        }
        if dossier.reception is not None and dossier.is_open:
            pairs["paused"] = (dossier.paused_at_end_of(self.today), answer["paused"])
        return [f"{code} {name}: oracle {ours}, answer {theirs}" for name, (ours, theirs) in pairs.items() if ours != theirs]

    # ------------------------------------------------------------------------------------------- lists

    async def whole_list(self) -> None:
        for sort in ("received_at", "-received_at", "due_at", "-due_at", "code", "-code"):
            limit = self.chance.choice((17, 100, 500))
            items = await self.reader.pages("/v1/dossiers", sort=sort, limit=limit)
            assert len(items) == len(self.dossiers), sort
            found: list[str] = []
            for item in items:
                dossier = self.oracle[item["code"]]
                found += differences(dossier, {k: v for k, v in item.items() if k != "anomalies"})
                if sorted(set(item["anomalies"])) != self.anomalies(dossier):
                    found.append(f"{dossier.code}: oracle {self.anomalies(dossier)}, list {item['anomalies']}")
                if (item["open"], item["overdue"]) != (dossier.is_open, overdue_on(dossier, self.today)):
                    found.append(f"{dossier.code}: {item}")
            assert not found, "\n".join(found[:20])
            assert [item["code"] for item in items] == self._ordered(sort)

    def _ordered(self, sort: str) -> list[str]:
        key = sort.removeprefix("-")
        down = sort.startswith("-")
        if key == "code":
            return sorted(self.oracle, reverse=down)
        having = [dossier for dossier in self.dossiers if getattr(dossier, key) is not None]
        having.sort(key=lambda dossier: (getattr(dossier, key), dossier.code), reverse=down)
        others = sorted((d.code for d in self.dossiers if getattr(d, key) is None), reverse=down)
        return [dossier.code for dossier in having] + others

    async def filtered_lists(self, times: int) -> None:
        for _ in range(times):
            parameters, belongs = self._filter()
            wanted = sorted(dossier.code for dossier in self.dossiers if belongs(dossier))
            page = await self.reader.get("/v1/dossiers", sort="code", limit=500, count="true", **parameters)
            assert page["count"] == len(wanted), parameters
            assert [item["code"] for item in page["items"]] == wanted[:500], parameters

    def _filter(self) -> tuple[dict[str, Any], Scope]:
        chance = self.chance
        agency, desk, procedure = chance.choice(self.agencies), chance.choice(self.agencies), chance.choice(PROCEDURES)
        channel, status, day = chance.choice(CHANNELS), chance.randint(1, 10), self._day()
        yes = chance.choice((True, False))
        anomaly = chance.choice(sorted({code for d in self.dossiers for code in self.anomalies(d)}) or ["no_due_date"])
        prefix = chance.choice(self.dossiers).code[: chance.randint(1, 20)]
        one_by_one: dict[str, tuple[Any, Scope]] = {
            "agency": (agency, lambda d: in_subtree(agency, d.agency, self.tenant)),
            "receiving_agency": (
                desk,
                lambda d: d.received_at is not None and in_subtree(desk, d.receiving_agency, self.tenant),
            ),
            "procedure": (procedure, lambda d: d.procedure == procedure),
            "channel": (channel, lambda d: d.channel == channel),
            "status": (status, lambda d: d.status == status),
            "open": (str(yes).lower(), lambda d: d.is_open is yes),
            "overdue": (str(yes).lower(), lambda d: overdue_on(d, self.today) is yes),
            "anomaly": (anomaly, lambda d: anomaly in self.anomalies(d)),
            "received_from": (str(day), lambda d: d.received_at is not None and local_date(d.received_at) >= day),
            "received_to": (str(day), lambda d: d.received_at is not None and local_date(d.received_at) <= day),
            "due_before": (str(day), lambda d: d.due_at is not None and local_date(d.due_at) < day),
            "q": (prefix, lambda d: d.code.startswith(prefix)),
        }
        names = chance.sample(sorted(one_by_one), chance.randint(1, 3))
        parameters = {name: one_by_one[name][0] for name in names}
        return parameters, lambda dossier: all(one_by_one[name][1](dossier) for name in names)

    # ------------------------------------------------------------------------------------------- figures

    def _day(self) -> date:
        logged = self.chance.choice(self.events)
        day = local_date(instant(logged["time"])) + timedelta(days=self.chance.choice((0, 0, -1, 1, 5, -30, 400)))
        return min(day, self.today)

    def _period(self, longest: int = 4_000) -> tuple[date, date]:
        start = self._day()
        to = (
            max(start, self._day()) if self.chance.random() < 0.5 else start + timedelta(days=self.chance.choice((0, 1, 30)))
        )
        return start, min(to, start + timedelta(days=longest - 1))

    def _scope(self) -> tuple[dict[str, str], Scope]:
        chance = self.chance
        parameters: dict[str, str] = {}
        parts: list[Scope] = []
        if chance.random() < 0.6:
            agency = parameters["agency"] = chance.choice(self.agencies)
            parts.append(scope(agency=agency, tenant=self.tenant))
        if chance.random() < 0.2:
            parameters["receiving_agency"] = chance.choice(self.agencies)
            parts.append(scope(receiving=parameters["receiving_agency"], tenant=self.tenant))
        kind = chance.random()
        if kind < 0.25:
            parameters["procedure"] = chance.choice(PROCEDURES)
            parts.append(scope(procedures=[parameters["procedure"]]))
        elif kind < 0.5:
            named = parameters["field"] = chance.choice(("Hộ tịch", "Đất đai", UNKNOWN, "Không có"))
            parts.append(lambda d: (FIELDS.get(d.procedure or "") or UNKNOWN) == named)
        if chance.random() < 0.3:
            parameters["channel"] = chance.choice(CHANNELS)
            parts.append(scope(channel=parameters["channel"]))
        return parameters, lambda dossier: all(part(dossier) for part in parts)

    async def figures(self, times: int) -> None:
        """`stats/summary` of random periods and scopes, and the dossiers behind some of its figures."""
        for _ in range(times):
            (start, to), (parameters, belongs) = self._period(), self._scope()
            asked = {"from_": str(start), "to": str(to), **parameters}
            answer = await self.reader.get("/v1/stats/summary", **asked)
            assert figure_differences(self._expected(start, to, belongs), answer) == [], asked
            assert all(check["holds"] for check in answer["checks"])
            assert answer["period"] == {"from": str(start), "to": str(effective_to(to, self.today))}
            assert (answer["as_of"]["position"], answer["as_of"]["lag_seconds"]) == (len(self.events), 0)
            behind = dossiers_behind(self.dossiers, start, effective_to(to, self.today), belongs)
            for path in self.chance.sample(PATHS, 3):
                items = await self.reader.pages("/v1/stats/summary/dossiers", figure=path, limit=100, **asked)
                assert sorted(item["code"] for item in items) == sorted(behind[path]), (path, asked)
                assert len(items) == figure(answer, path)

    def _expected(self, start: date, to: date, belongs: Scope) -> dict[str, Any]:
        return summary(self.dossiers, start, effective_to(to, self.today), belongs)

    async def tables(self, times: int) -> None:
        """`stats/by/*`: every row, the total, and that parents are the sum of their children."""
        for by in ("agency", "receiving_agency", "procedure", "field", "channel"):
            for _ in range(times):
                (start, to), (parameters, belongs) = self._period(), self._scope()
                asked = {"from_": str(start), "to": str(to), **parameters}
                answer = await self.reader.get(f"/v1/stats/by/{by}", **asked)
                row_of = self._row_of(by, parameters.get("agency", str(self.tenant)))
                expected = {row_of(dossier): [] for dossier in self.dossiers if belongs(dossier)}
                for dossier in self.dossiers:
                    if belongs(dossier):
                        expected[row_of(dossier)].append(dossier)
                rows = {row["key"]: row for row in answer["rows"]}
                assert len(rows) == len(answer["rows"])
                for key in expected.keys() | rows.keys():
                    wanted = summary(expected.get(key, []), start, effective_to(to, self.today))
                    if key not in rows:
                        assert not any(figure(wanted, path) for path in PATHS), (key, by, asked)
                    else:
                        assert figure_differences(wanted, rows[key]) == [], (key, by, asked)
                assert figure_differences(self._expected(start, to, belongs), answer["total"]) == [], (by, asked)
                for path in ADDITIVE:
                    assert sum(figure(row, path) for row in answer["rows"]) == figure(answer["total"], path), (path, asked)
                assert all(check["holds"] for part in (*answer["rows"], answer["total"]) for check in part["checks"])

    def _row_of(self, by: str, top: str) -> Any:
        below = [code for code in self.known_agencies if code.rpartition(".")[0] == top]

        def agency_row(dossier: Computation) -> str:
            if dossier.agency == top:
                return top
            return next((child for child in below if in_subtree(child, dossier.agency, self.tenant)), UNKNOWN)

        def desk_row(dossier: Computation) -> str:
            """One outside has a row of its own."""
            desk = dossier.receiving_agency
            if desk is None or desk == top or in_subtree(top, desk, self.tenant):
                return top if desk == top else next((one for one in below if in_subtree(one, desk, self.tenant)), UNKNOWN)
            return desk

        def field_row(dossier: Computation) -> str:
            return FIELDS.get(dossier.procedure or "") or UNKNOWN

        return {
            "agency": agency_row,
            "receiving_agency": desk_row,
            "procedure": lambda dossier: dossier.procedure or UNKNOWN,
            "field": field_row,
            "channel": lambda dossier: dossier.channel or UNKNOWN,
        }[by]

    async def tables_by_time(self) -> None:
        """Every piece of a period is a period of its own; what is open at the end of one is carried over into the next."""
        for by, longest in (("quarter", 2_000), ("month", 500), ("week", 120), ("day", 40)):
            (start, to), (parameters, belongs) = self._period(longest), self._scope()
            asked = {"from_": str(start), "to": str(to), **parameters}
            answer = await self.reader.get(f"/v1/stats/by/{by}", **asked)
            pieces = list(pieces_of(start, effective_to(to, self.today), by))
            assert [row["key"] for row in answer["rows"]] == [key for key, _, _ in pieces], (by, asked)
            for (_, begin, end), row in zip(pieces, answer["rows"], strict=True):
                assert row["period"] == {"from": str(begin), "to": str(end)}
                assert figure_differences(self._expected(begin, end, belongs), row) == [], (by, asked)
            for this, following in zip(answer["rows"], answer["rows"][1:], strict=False):
                assert this["open"]["total"] == following["received"]["carried_over"]
            assert figure_differences(self._expected(start, to, belongs), answer["total"]) == [], (by, asked)

    # ------------------------------------------------------------------------------------------- rights

    async def restricted_keys(self, stack: Stack, times: int) -> None:
        """A key with a subtree sees exactly its dossiers, everywhere."""
        for _ in range(times):
            root = self.chance.choice(self.agencies)
            mine = scope(agency=root, tenant=self.tenant)
            seen_by = [mine, scope(receiving=root, tenant=self.tenant)]

            def sees(code: str) -> bool:
                """'Both agencies see it.'"""
                return any(belongs(self.oracle[code]) for belongs in seen_by)  # noqa: B023 - asked in this round only

            client = await stack.key(Permission.DOSSIERS_READ, Permission.STATS_READ, agency=root)
            items = await self.reader.pages("/v1/dossiers", client=client, sort="code", limit=200)
            assert [item["code"] for item in items] == sorted(filter(sees, self.oracle)), root
            start, to = self._period()
            answer = await self.reader.get("/v1/stats/summary", client=client, from_=str(start), to=str(to))
            assert figure_differences(self._expected(start, to, mine), answer) == [], root
            for dossier in self.chance.sample(self.dossiers, min(5, len(self.dossiers))):
                status = (await client.get(f"/v1/dossiers/{dossier.code}")).status_code
                assert status == (200 if sees(dossier.code) else 404), (dossier.code, root)
            feed = await self.reader.get("/v1/events", client=client, limit=1000)
            visible = {identity(event) for event in self.events if sees(event["subject"])}
            seen = {identity(item["event"]) for item in feed["items"]}
            assert seen <= visible
            assert seen == visible or feed["next"] < len(self.events)


def pieces_of(start: date, to: date, by: str) -> Iterator[tuple[str, date, date]]:
    """The days of a period gathered by the name of their quarter, month, ISO week or day."""

    def name(day: date) -> str:
        week = day.isocalendar()
        return {
            "day": day.isoformat(),
            "week": f"{week.year}-W{week.week:02}",
            "month": f"{day.year}-{day.month:02}",
            "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        }[by]

    begin = day = start
    while day <= to:
        if day == to or name(day + ONE_DAY) != name(day):
            yield name(day), begin, day
            begin = day + ONE_DAY
        day += ONE_DAY
