"""A gateway's statement over HTTP: loaded whole in every form, classed, replaced, closed, alarmed."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from services.worker.payments.watch import StatementWatch, is_too_old
from shared.access.store.keys import Permission
from shared.calendar.rules.almanac import Almanac, YearFact
from shared.database.engine import driver_session
from shared.payments.store import statements
from shared.vocabulary.events import Tenant
from tests.support.api import Served, clock
from tests.support.registers.served_payments import admin, api, paid, payment, project, told

__all__ = ["admin", "api"]  # fixtures

DAY = "2025-03-03"
PATH = f"/v1/payments/statements/national/{DAY}"
H51 = Tenant("H51")
FIELDS = ("reference", "gateway_txn", "amount_vnd", "state", "time")


def line(reference: str, amount_vnd: int = 50_000, state: str = "succeeded", **more: Any) -> dict[str, Any]:
    time = f"{DAY}T09:00:00+07:00"
    return {
        "reference": reference,
        "gateway_txn": f"GD{reference}",
        "amount_vnd": amount_vnd,
        "state": state,
        "time": time,
    } | more


OURS = (
    *paid("matched", f"{DAY} 09:00"),
    *paid("less", f"{DAY} 09:00"),
    *paid("failed", f"{DAY} 09:00"),
    *paid("missing", f"{DAY} 23:59", 7),
    *paid("tomorrow", "2025-03-04 00:00"),
    *paid("local", f"{DAY} 09:00", gateway="local"),
    payment("initiated", "pending", f"{DAY} 09:00"),
    payment("initiated", "both", f"{DAY} 09:00"),
    payment("confirmed", "never", f"{DAY} 09:00", outcome="succeeded", amount_vnd=1),
)
LINES = [
    line("matched"),
    line("less", 49_000),
    line("failed", state="failed"),
    line("tomorrow"),
    line("local"),
    line("pending"),
    line("both", state="pending"),
    line("never", 1),
    line("matched"),
    line("nobody", state="failed", gateway_txn=None),
]
COUNTS = {
    "duplicate_line": 1,
    "unknown_there": 3,
    "not_succeeded_here": 1,
    "other_day": 1,
    "amount_differs": 1,
    "matched": 1,
    "failed_there": 1,
    "failed_both": 1,
    "missing_there": 1,
}


def counts(answer: dict[str, Any]) -> dict[str, int]:
    assert {name: len(one["lines"]) for name, one in answer["classes"].items()} == {
        name: one["count"] for name, one in answer["classes"].items()
    }
    return {name: one["count"] for name, one in answer["classes"].items()}


async def load(client: httpx.AsyncClient, lines: list[dict[str, Any]], path: str = PATH) -> dict[str, Any]:
    answer = await client.put(path, json={"lines": lines})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert all(check["holds"] for check in found["checks"])
    return found


async def test_each_line_and_each_of_ours_gets_one_class(api: Served, admin: httpx.AsyncClient) -> None:
    await told(api, admin, *OURS)
    answer = await load(admin, LINES)
    assert counts(answer) == COUNTS
    # there 50 + 49 + 50 + 50 + 50 (twice matched) thousand and 1; ours 150 thousand and 7
    assert answer["totals"] == {"statement_vnd": 299_001, "ours_vnd": 150_007, "difference_vnd": 148_994}
    assert answer["classes"]["amount_differs"] == {
        "count": 1,
        "statement_vnd": 49_000,
        "ours_vnd": 50_000,
        "lines": [line("less", 49_000) | {"time": f"{DAY}T09:00:00+07:00", "ours_vnd": 50_000}],
    }
    assert answer["classes"]["missing_there"]["lines"][0]["reference"] == "missing"
    assert answer["classes"]["missing_there"]["ours_vnd"] == 7
    assert (answer["lines"], answer["outside_day"], answer["open_differences"]) == (10, 0, 9)
    assert (await admin.get(PATH)).json() == answer
    assert (await admin.get("/v1/payments/statements/local/2025-03-03")).status_code == 404


def rows(separator: str, headings: str = "") -> str:
    text = [separator.join("" if one[name] is None else str(one[name]) for name in FIELDS) for one in LINES]
    return "\r\n".join([*([headings] if headings else []), *text]) + "\r\n"


REORDERED = "time;state;amount_vnd;gateway_txn;reference\n" + "\n".join(
    ";".join("" if one[name] is None else str(one[name]) for name in reversed(FIELDS)) for one in LINES
)


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        (f"{PATH}.csv", "text/csv", "\ufeff" + rows(",", ",".join(FIELDS))),
        (PATH, "text/csv; charset=utf-8", REORDERED),
        (f"{PATH}.txt", "text/plain", rows("|")),
        (PATH, "text/plain", "\ufeff" + rows("|")),
        (PATH, "text/plain", base64.encodebytes(rows("|").encode()).decode()),
        (PATH, "text/plain", base64.b64encode(rows(",", ",".join(FIELDS)).encode()).decode()),
    ],
)
async def test_every_form_of_a_statement_says_the_same(
    api: Served, admin: httpx.AsyncClient, path: str, content_type: str, body: str
) -> None:
    await told(api, admin, *OURS)
    answer = await admin.put(path, content=body.encode(), headers={"content-type": content_type})
    assert answer.status_code == 200, answer.text
    expected = await load(admin, LINES)
    varying = ("loaded_at",)
    assert {**answer.json(), **dict.fromkeys(varying)} == {**expected, **dict.fromkeys(varying)}


@pytest.mark.parametrize(
    ("content_type", "body", "status", "pointer", "code"),
    [
        ("application/json", b'{"lines": [', 400, "", "json"),
        ("application/json", b"[]", 422, "", "object"),
        ("application/json", b"{}", 422, "/lines", "missing"),
        ("application/json", b'{"lines": [{"reference": "A"}]}', 422, "/lines/0/amount_vnd", "missing"),
        (
            "application/json",
            b'{"lines": [{"reference": " ", "amount_vnd": 1, "state": "failed", "time": "2025-03-03T09:00:00Z"}]}',
            422,
            "/lines/0/reference",
            "pattern",
        ),
        (
            "application/json",
            b'{"lines": [{"reference": "A", "amount_vnd": 1, "state": "failed", "time": "2025-03-03T09:00:00Z", "ours_vnd": 1}]}',
            422,
            "/lines/0/ours_vnd",
            "unknown_field",
        ),
        ("text/plain", b"A|G|1|succeeded|2025-03-03T09:00:00+07:00\nB|G|2|succ", 422, "/2", "cells"),
        ("text/plain", b"A|G|1.5|succeeded|2025-03-03T09:00:00+07:00", 422, "/1/amount_vnd", "integer"),
        ("text/plain", b"A|G|50.000|succeeded|2025-03-03T09:00:00+07:00", 422, "/1/amount_vnd", "integer"),
        ("text/plain", b"A|G|1000000000000001|succeeded|2025-03-03T09:00:00+07:00", 422, "/1/amount_vnd", "too_big"),
        ("text/plain", b"A|G|-1|succeeded|2025-03-03T09:00:00+07:00", 422, "/1/amount_vnd", "too_small"),
        ("text/plain", b"A|G|1|paid|2025-03-03T09:00:00+07:00", 422, "/1/state", "choice"),
        ("text/plain", b"A|G|1|failed|2025-03-03", 422, "/1/time", "instant"),
        ("text/plain", b"A|G|1|failed|2025-02-30T09:00:00+07:00", 422, "/1/time", "instant"),
        ("text/plain", b"|G|1|failed|2025-03-03T09:00:00+07:00", 422, "/1/reference", "missing"),
        ("text/plain", b"what is this", 422, "", "statement"),
        ("text/plain", b"\xff\xfe", 400, "", "encoding"),
        ("text/csv", b"reference,amount_vnd\nA,1", 422, "/1/gateway_txn", "missing"),
        ("text/csv", b"reference,gateway_txn,amount_vnd,state,time\n\nA,,1,failed", 422, "/3", "cells"),
        (
            "text/csv",
            b"reference,gateway_txn,amount_vnd,state,time,\nA,,1,failed,2025-03-03T09:00:00Z,x",
            422,
            "/2",
            "cells",
        ),
        ("text/csv", b"sep=;\nreference;gateway_txn;amount_vnd;state;class\n", 422, "/2/time", "missing"),
        (
            "text/csv",
            b"reference,gateway_txn,amount_vnd,state,time,class\nA,,,,,missing_there\nB,,1,paid,2025-03-03T09:00:00Z,",
            422,
            "/3/state",
            "choice",
        ),
        ("application/json", b'{"lines": []}\n{"lines": []}', 400, "", "another_follows"),
        ("text/html", b"<p>", 415, "", "content_type"),
    ],
)
async def test_a_statement_that_is_wrong_in_one_line_or_cut_off_changes_nothing(  # noqa: PLR0917
    api: Served, admin: httpx.AsyncClient, content_type: str, body: bytes, status: int, pointer: str, code: str
) -> None:
    before = await load(admin, [line("A")])
    answer = await admin.put(PATH, content=body, headers={"content-type": content_type})
    assert answer.status_code == status, answer.text
    assert (answer.json()["errors"][0]["pointer"], answer.json()["errors"][0]["code"]) == (pointer, code)
    assert (await admin.get(PATH)).json() == before


async def test_amounts_of_zero_and_of_the_largest_are_summed_exactly(api: Served, admin: httpx.AsyncClient) -> None:
    lines = [line(f"T{n}", 10**15) for n in range(20_000)]
    answer = await load(admin, [line("zero", 0), *lines])
    assert answer["totals"] == {"statement_vnd": 2 * 10**19, "ours_vnd": 0, "difference_vnd": 2 * 10**19}
    assert answer["classes"]["unknown_there"]["count"] == 20_001


async def test_a_statement_of_the_wrong_day_shows_it_and_the_right_one_replaces_it(
    api: Served, admin: httpx.AsyncClient
) -> None:
    await told(api, admin, *paid("A", f"{DAY} 09:00"), *paid("B", "2025-03-04 09:00"))
    wrong = await load(admin, [line("B", time="2025-03-04T09:00:00+07:00")])
    assert {name: n for name, n in counts(wrong).items() if n} == {"other_day": 1, "missing_there": 1}
    assert (wrong["outside_day"], wrong["open_differences"]) == (1, 2)
    right = await load(admin, [line("A")])
    assert {name: n for name, n in counts(right).items() if n} == {"matched": 1}
    assert await load(admin, [line("A")]) == right | {"loaded_at": (await admin.get(PATH)).json()["loaded_at"]}
    today = (await clock(api)).date()
    refused = await admin.put(f"/v1/payments/statements/national/{today.replace(year=today.year + 1)}", json={"lines": []})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/date")


async def test_a_statement_is_classed_by_what_was_told_before_it(api: Served, admin: httpx.AsyncClient) -> None:
    """Classes are those of the moment of loading: what is not counted yet is waited for, not left out."""
    answer = await admin.post("/v1/events", json=payment("initiated", "A", f"{DAY} 09:00"))
    assert answer.status_code == 202
    waited = await admin.put(PATH, json={"lines": [line("A")]})
    assert (waited.status_code, "retry-after" in waited.headers) == (503, True)
    await project(api)
    assert counts(await load(admin, [line("A")]))["not_succeeded_here"] == 1


async def test_what_is_given_as_a_sheet_is_taken_back(api: Served, admin: httpx.AsyncClient) -> None:
    await told(api, admin, *OURS)
    before = await load(admin, LINES)
    sheet = await admin.get(f"{PATH}.csv")
    assert sheet.text.splitlines()[0] == "\ufeff" + ",".join((*FIELDS, "class", "ours_vnd"))
    assert (await admin.get(PATH, params={"format": "csv"})).text == sheet.text
    assert len(sheet.text.splitlines()) == 1 + len(LINES) + 1
    assert f"less,GDless,49000,succeeded,{DAY}T09:00:00+07:00,amount_differs,50000" in sheet.text
    again = await admin.put(f"{PATH}.csv", content=sheet.content, headers={"content-type": "text/csv"})
    assert counts(again.json()) == counts(before)
    assert (await admin.get("/v1/payments/statements/local/2025-03-03.csv")).status_code == 404


HEADINGS = ",".join(FIELDS)
ROW = f"=A,GD=A,50000,succeeded,{DAY}T09:00:00+07:00"


@pytest.mark.parametrize(
    "sheet",
    [
        f"\ufeffsep=,\r\n{HEADINGS}\r\n{ROW}\r\n",
        f'"sep=;"\r\n{HEADINGS}\r\n{ROW}\r\n'.replace(",", ";"),
        f"sep=|\n{HEADINGS}\n{ROW}\n".replace(",", "|"),
        f"{HEADINGS},,\n{ROW},,\n",
        f",{HEADINGS}\n,{ROW}\n",
        f"{HEADINGS}\n{ROW},,\n",
        f"\n,,,,\n{HEADINGS}\n , ,\u00a0, ,\n{ROW}\n,,,,\n   \n",
        f"{HEADINGS}\n'{ROW}\n",
        f"{HEADINGS}\n=A,GD=A, 50000 , succeeded , {DAY}T09:00:00+07:00 \n",
        f"{HEADINGS.upper().replace(',', ' , ')}\n{ROW}\n",
    ],
)
async def test_what_a_spreadsheet_puts_around_a_statement_is_nothing(
    api: Served, admin: httpx.AsyncClient, sheet: str
) -> None:
    """As in the sheets of catalogues: `sep=`, empty rows and columns, blanks, a quote before what looks like a formula."""
    before = await load(admin, [line("=A")])
    for path, headers in ((f"{PATH}.csv", {}), (PATH, {"content-type": "text/csv"})):
        answer = await admin.put(path, content=sheet.encode(), headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json() == before | {"loaded_at": answer.json()["loaded_at"]}


async def test_a_reference_that_looks_like_a_formula_comes_back_from_a_sheet(api: Served, admin: httpx.AsyncClient) -> None:
    references = ["=A", "'=A", "+1", "-1", "@A", "''-1", "A'", "A,B", 'A"B', "A;B", "A  B"]
    before = await load(admin, [line(one) for one in references])
    sheet = await admin.get(f"{PATH}.csv")
    again = await admin.put(f"{PATH}.csv", content=sheet.content, headers={"content-type": "text/csv"})
    assert again.json() == before | {"loaded_at": again.json()["loaded_at"]}


async def close(client: httpx.AsyncClient, kind: str, reference: str, note: str = "đã đối chiếu") -> httpx.Response:
    return await client.post(f"{PATH}/close", json={"class": kind, "reference": reference, "note": note})


async def test_a_person_closes_a_difference_once_and_it_stays_closed_while_it_is_the_same(
    api: Served, admin: httpx.AsyncClient
) -> None:
    await told(api, admin, *OURS)
    await load(admin, LINES)
    first = await close(admin, "amount_differs", "less", "Ngân hàng đã thu phí")
    assert first.status_code == 200
    again = await close(await api.key(), "amount_differs", "less", "một lời khác")
    assert again.json() == first.json()
    answer = (await admin.get(PATH)).json()
    assert (answer["open_differences"], answer["closings"]) == (8, [first.json()])
    assert [
        (await close(admin, kind, one)).status_code for kind, one in (("matched", "matched"), ("other_day", "less"))
    ] == [422, 422]
    assert (await load(admin, LINES))["closings"] == [first.json()]
    changed = [line("less", 48_000) if one["reference"] == "less" else one for one in LINES]
    assert (await load(admin, changed))["closings"] == []
    missing = await admin.post(
        "/v1/payments/statements/local/2025-03-03/close", json={"class": "other_day", "reference": "A", "note": "abc"}
    )
    assert missing.status_code == 404


async def test_the_worker_asks_about_what_succeeded_there_until_it_succeeds_here(
    api: Served, admin: httpx.AsyncClient
) -> None:
    await told(api, admin, *OURS)
    await load(admin, LINES)
    async with driver_session(api.engine) as connection:
        assert await statements.not_succeeded_here(connection, H51) == [("national", "pending")]
    await told(api, admin, payment("queried", "pending", f"{DAY} 12:00", state=1))
    async with driver_session(api.engine) as connection:
        assert await statements.not_succeeded_here(connection, H51) == []
    listed = (await admin.get("/v1/payments/statements", params={"open": True})).json()["items"]
    assert [(one["gateway"], one["date"], one["open_differences"]) for one in listed] == [("national", DAY, 8)]
    assert counts((await admin.get(PATH)).json()) == COUNTS  # as it was when loaded


async def test_an_open_difference_raises_an_alarm_once_and_its_end_clears_it(
    api: Served, admin: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await load(admin, [line("X")])
    watch = StatementWatch(api.engine)
    assert await watch.tenants() == ["H51"]
    for _ in range(2):
        await watch.work(H51)
    assert (await admin.get(PATH)).json()["alarmed_at"] is not None
    assert 'motcua_payment_alarms{tenant="H51"} 1.0' in (await admin.get("/metrics")).text
    assert (await close(admin, "unknown_there", "X")).status_code == 200
    for _ in range(2):
        await watch.work(H51)
    assert (await admin.get(PATH)).json()["alarmed_at"] is None
    assert 'motcua_payment_alarms{tenant="H51"} 0.0' in (await admin.get("/metrics")).text
    logged = capsys.readouterr().out
    assert (logged.count("payment_alarm_raised"), logged.count("payment_alarm_cleared")) == (1, 1)


@pytest.mark.parametrize(
    ("today", "too_old"), [("2025-03-07", False), ("2025-03-10", False), ("2025-03-11", False), ("2025-03-12", True)]
)
def test_a_difference_may_be_open_for_two_working_days(today: str, too_old: bool) -> None:
    """Of Friday's statement until the end of Tuesday; a year that nobody confirmed counts by what is known."""
    confirmed = Almanac(years=[YearFact(datetime(2025, 1, 1, tzinfo=UTC), 2025, confirmed=True)])
    for almanac in (confirmed, Almanac()):
        assert is_too_old(almanac, date(2025, 3, 7), date.fromisoformat(today)) is too_old


async def test_statements_are_of_the_whole_province(api: Served, admin: httpx.AsyncClient) -> None:
    await load(admin, [line("A")])
    for key, status in (
        (await api.key(Permission.DOSSIERS_READ), 200),
        (await api.key(agency="H51.12"), 403),
        (await api.key(Permission.STATS_READ), 403),
    ):
        assert (await key.get(PATH)).status_code == status
        assert (await key.get("/v1/payments/statements")).status_code == status
        assert (await key.put(PATH, json={"lines": []})).status_code == 403
        assert (
            await key.post(f"{PATH}/close", json={"class": "other_day", "reference": "A", "note": "abc"})
        ).status_code == 403
    other = await api.key(tenant=Tenant("G09"))
    assert (await other.get(PATH)).status_code == 404


async def test_statements_are_listed_page_by_page_the_newest_first(api: Served, admin: httpx.AsyncClient) -> None:
    for gateway, day in (("local", DAY), ("national", DAY), ("national", "2025-03-04"), ("national", "2025-03-02")):
        await load(admin, [], f"/v1/payments/statements/{gateway}/{day}")
    found: list[tuple[str, str]] = []
    cursor: str | None = None
    while True:
        page = (
            await admin.get("/v1/payments/statements", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        ).json()
        found += [(one["date"], one["gateway"]) for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [("2025-03-04", "national"), (DAY, "national"), (DAY, "local"), ("2025-03-02", "national")]
