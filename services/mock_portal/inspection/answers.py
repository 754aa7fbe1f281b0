"""What the portal shows of itself under `/_portal`. All reading SQL is here."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

_VERSION_COLUMNS: Final = "seq, version, accepted_us, call, updating, same, backwards, madonvi, body"
_STEP_COLUMNS: Final = "seq, accepted_us, call, repeats, repeated_us, body"
_CALL_COLUMNS: Final = (
    "n, received_us, path, service, username, madonvi, items, codes, request, request_bytes, "
    "status, answer, outcome, delivered, faults, milliseconds"
)
_LOOKUP_FIELDS: Final = (
    "MaHoSo",
    "TrangThaiHoSo",
    "NgayTiepNhan",
    "NgayHenTra",
    "NgayKetThucXuLy",
    "NgayTra",
)


def instant(microseconds: int | None) -> str | None:
    """Write an instant as ISO 8601 in UTC."""
    if microseconds is None:
        return None
    found = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _held(body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(body)
    return found


def _version(row: tuple[Any, ...]) -> dict[str, Any]:
    seq, version, accepted_us, call, updating, same, backwards, madonvi, body = row
    return _held(body) | {
        "order": seq,
        "version": version,
        "accepted_at": instant(accepted_us),
        "call": call,
        "is_updating": bool(updating),
        "same_as_before": bool(same),
        "backwards": bool(backwards),
        "madonvi": madonvi,
    }


def _step(row: tuple[Any, ...]) -> dict[str, Any]:
    seq, accepted_us, call, repeats, repeated_us, body = row
    return _held(body) | {
        "order": seq,
        "accepted_at": instant(accepted_us),
        "call": call,
        "repeats": repeats,
        "repeated_at": instant(repeated_us),
    }


def _history(connection: sqlite3.Connection, code: str) -> dict[str, list[dict[str, Any]]]:
    versions = connection.execute(
        f"SELECT {_VERSION_COLUMNS} FROM versions WHERE code = ? ORDER BY seq",
        (code,),
    )
    steps = connection.execute(f"SELECT {_STEP_COLUMNS} FROM steps WHERE code = ? ORDER BY seq", (code,))
    return {"versions": [_version(row) for row in versions], "progress": [_step(row) for row in steps]}


def dossier(connection: sqlite3.Connection, code: str) -> dict[str, Any] | None:
    """Give what is held of one dossier, in the protocol's own fields, with all it accepted; or None."""
    history = _history(connection, code)
    if not history["versions"]:
        return None
    row = connection.execute(
        "SELECT body FROM versions WHERE seq = (SELECT seq FROM dossiers WHERE code = ?)",
        (code,),
    ).fetchone()
    return _held(row[0]) | history


def dossiers(connection: sqlite3.Connection, *, after: str, limit: int, full: bool, steps: bool = False) -> dict[str, Any]:
    """Give a page of dossiers in the order of their codes.

    `full` adds what each of them accepted, `steps` the natural keys of its progress steps alone.
    """
    rows = connection.execute(
        "SELECT d.code, d.version, d.first_us, v.accepted_us, v.body, "
        "(SELECT count(*) FROM steps s WHERE s.code = d.code) "
        "FROM dossiers d JOIN versions v ON v.seq = d.seq WHERE d.code > ? ORDER BY d.code LIMIT ?",
        (after, limit + 1),
    ).fetchall()
    items = []
    for code, version, first_us, accepted_us, body, count in rows[:limit]:
        item = _held(body) | {
            "version_count": version,
            "progress_count": count,
            "first_accepted_at": instant(first_us),
            "accepted_at": instant(accepted_us),
        }
        items.append(item | _history(connection, code) if full else item)
    if steps and not full and items:
        by_code: dict[str, list[dict[str, str]]] = {item["MaHoSo"]: item.setdefault("progress", []) for item in items}
        keys = connection.execute(
            "SELECT code, at, status, officer FROM steps WHERE code > ? AND code <= ? ORDER BY seq",
            (after, rows[:limit][-1][0]),
        )
        for code, at, status, officer in keys:
            if code in by_code:
                by_code[code].append({"ThoiDiemXuLy": at, "TrangThai": status, "NguoiXuLy": officer})
    return {"items": items, "next": rows[limit - 1][0] if len(rows) > limit else None}


def look_up(
    connection: sqlite3.Connection,
    codes: list[str],
    *,
    is_hidden: Callable[[str, int], bool],
) -> list[dict[str, str]]:
    """Answer TraCuuHoSo.

    Args:
        connection: a snapshot.
        codes: what is asked for; the answer has the same order, without the unknown ones.
        is_hidden: says for a code and the instant (microseconds) it was first accepted whether the look-up
            does not show it yet (F17).
    """
    marks = ",".join("?" * len(codes))
    rows = connection.execute(
        f"SELECT d.code, d.first_us, v.body FROM dossiers d JOIN versions v ON v.seq = d.seq WHERE d.code IN ({marks})",
        codes,
    )
    held = {code: _held(body) for code, first_us, body in rows if not is_hidden(code, first_us)}
    return [{name.upper(): held[code].get(name, "") for name in _LOOKUP_FIELDS} for code in codes if code in held]


def calls(connection: sqlite3.Connection, *, after: int, limit: int, newest: bool) -> dict[str, Any]:
    """Give a page of the calls kept, oldest first, or the newest ones."""
    order = "DESC" if newest else "ASC"
    rows = connection.execute(
        f"SELECT {_CALL_COLUMNS} FROM calls WHERE n > ? ORDER BY n {order} LIMIT ?",
        (after, limit + 1),
    ).fetchall()
    items = [_call(row) for row in rows[:limit]]
    more = len(rows) > limit and not newest
    return {"items": items, "next": items[-1]["n"] if more else None}


def _call(row: tuple[Any, ...]) -> dict[str, Any]:
    found = dict(zip(_CALL_COLUMNS.split(", "), row, strict=True))
    return {
        "n": found["n"],
        "received_at": instant(found["received_us"]),
        "path": found["path"],
        "service": found["service"],
        "username": found["username"],
        "madonvi": found["madonvi"],
        "items": found["items"],
        "codes": orjson.loads(found["codes"]),
        "request": found["request"],
        "request_bytes": found["request_bytes"],
        "status": found["status"],
        "answer": found["answer"],
        "outcome": found["outcome"],
        "delivered": bool(found["delivered"]),
        "faults": found["faults"].split(",") if found["faults"] else [],
        "milliseconds": found["milliseconds"],
    }


def stats(connection: sqlite3.Connection) -> dict[str, Any]:
    """Give the counts since the last reset; they outlive restarts and the retention of calls."""
    held = {"dossiers": 0, "versions": 0, "steps": 0, "repeated_steps": 0}
    by_service: dict[str, dict[str, int]] = {}
    faults: dict[str, int] = {}
    for kind, name, outcome, n in connection.execute("SELECT kind, name, outcome, n FROM tallies"):
        if kind == "held":
            held[name] = n
        elif kind == "faults":
            faults[name] = n
        else:
            by_service.setdefault(name or "?", {})[outcome] = n
    total = sum(n for outcomes in by_service.values() for n in outcomes.values())
    return held | {"calls": {"total": total, "by_service": by_service}, "faults": faults}


def kept_setting(connection: sqlite3.Connection, name: str) -> str | None:
    """Give a setting that was changed at run time."""
    row = connection.execute("SELECT body FROM kept_settings WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])
