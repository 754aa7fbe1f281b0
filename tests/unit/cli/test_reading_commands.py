"""``motcua rebuild``, ``reconcile``, ``audit``, ``transfer`` and ``report`` as a person uses them, the API's answers given."""

import json

import httpx
import pytest

from services.cli import jobs, report, transfer
from services.cli.main import main


def job(state: str, **more) -> dict:
    return {"id": "j1", "kind": "rebuild", "state": state, "progress": {"dossiers": 5}, "result": None, "error": None} | more


@pytest.fixture
def api(monkeypatch):
    """Answers by (method, path), one after the other; what was asked is kept."""
    answers: dict[tuple[str, str], list[httpx.Response]] = {}
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answers[request.method, request.url.path].pop(0)

    def client(arguments):
        return httpx.Client(base_url=arguments.api, transport=httpx.MockTransport(answer))

    for module in (jobs, report, transfer):
        monkeypatch.setattr(module, "api_client", client)
    monkeypatch.setattr(jobs, "_LOOK_EVERY_SECONDS", 0)
    answers["asked", ""] = asked  # type: ignore[assignment]
    return answers


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return left.value.code


@pytest.mark.parametrize(("command", "path"), [("rebuild", "/v1/stats/rebuild"), ("reconcile", "/v1/sync/reconcile")])
def test_a_job_is_followed_to_its_result(api, capsys, command, path):
    api["POST", path] = [httpx.Response(202, json=job("queued"))]
    api["GET", "/v1/jobs/j1"] = [
        httpx.Response(200, json=job("running")),
        httpx.Response(200, json=job("done", result={"n": 7})),
    ]
    assert run(command) == 0
    assert '"n": 7' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ((), {}),
        (("--whole",), {"whole": True}),
        (("--period", "2018-Q3", "--agency", "H51.12"), {"period": "2018-Q3", "agency": "H51.12"}),
    ],
)
def test_an_audit_asks_for_what_is_named(api, capsys, arguments, body):
    api["POST", "/v1/audits"] = [httpx.Response(202, json=job("done", result={"alarms": []}))]
    assert run("audit", *arguments) == 0
    assert '"alarms": []' in capsys.readouterr().out
    (request,) = api["asked", ""]
    assert json.loads(request.content) == body


def test_a_transfer_asks_until_there_is_no_more(api, capsys):
    done = {"agency": "H51.30", "to": "H51.201", "transferred": 10_000, "unchanged": 2, "more": True}
    api["POST", "/v1/agencies/H51.30/transfer"] = [
        httpx.Response(200, json=done),
        httpx.Response(200, json=done | {"transferred": 57, "more": False}),
    ]
    assert run("transfer", "H51.30", "--to", "H51.201") == 0
    assert "H51.30 -> H51.201: 10057 dossiers transferred, 2 left as they are" in capsys.readouterr().out
    assert [json.loads(request.content) for request in api["asked", ""]] == [{"to": "H51.201"}] * 2


def test_a_refused_transfer_says_why(api, capsys):
    problem = {
        "title": "Invalid",
        "detail": "fields are wrong",
        "status": 422,
        "errors": [{"pointer": "/to", "detail": "a successor"}],
    }
    api["POST", "/v1/agencies/H51.30/transfer"] = [httpx.Response(422, json=problem)]
    assert run("transfer", "H51.30") == 1
    assert "/to a successor" in capsys.readouterr().err


def test_a_failed_job_says_why(api, capsys):
    api["POST", "/v1/stats/rebuild"] = [httpx.Response(202, json=job("failed", error="no disk"))]
    assert run("rebuild") == 1
    assert "no disk" in capsys.readouterr().err


def test_a_refused_job_says_why(api, capsys):
    problem = {"title": "Busy", "detail": "one runs already", "status": 409}
    api["POST", "/v1/stats/rebuild"] = [httpx.Response(409, json=problem)]
    assert run("rebuild") == 1
    assert "409" in (said := capsys.readouterr().err)
    assert "one runs already" in said


def test_a_report_prints_a_row_for_each_unit(api, capsys):
    figures = {
        "received": {"total": 3, "carried_over": 1, "new": {"total": 2}},
        "resolved": {"early": 1, "on_time": 0, "late": 1},
        "open": {"within": 1, "overdue": 0},
        "rates": {"resolved_on_time": {"value": "50.00"}},
    }
    api["GET", "/v1/stats/by/agency"] = [
        httpx.Response(
            200,
            json={
                "period": {"from": "2018-01-01", "to": "2018-12-31"},
                "scope": {"agency": "H51"},
                "rows": [figures | {"key": "H51.01", "name": "Sở A"}],
                "total": figures,
                "as_of": {"position": 12, "lag_seconds": 0.0},
            },
        )
    ]
    assert run("report", "2018", "--agency", "H51") == 0
    out = capsys.readouterr().out
    assert "H51.01 Sở A" in out
    assert "50.00" in out
    assert "counted to position 12, 0.0 s behind" in out
    (request,) = api["asked", ""]
    assert dict(request.url.params) == {"period": "2018", "agency": "H51"}
