"""What differs between the oracle and an answer of the product, in words; an empty list means they agree.

The product's side are plain dicts as its API answers them (contract section 4). Fields, names and shapes that an
answer does not carry can be left out (`fields`), renamed (`names`) or adapted (`pauses`, `anomalies`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tests.oracle.computation import Computation
from tests.oracle.log import instant

INSTANTS = ("received_at", "taken_over_at", "due_at", "promised_at", "ended_at")
ITEM_FIELDS = (
    "code",
    "status",
    "agency",
    "receiving_agency",
    "procedure",
    "channel",
    "received_at",
    "taken_over_at",
    "awaiting_takeover",
    "due_at",
    "promised_at",
    "ended_at",
    "end_kind",
)
PER_DOSSIER = ("not_received", "no_due_date", "code_date_later", "unknown_procedure", "unknown_agency")


def moment(value: Any) -> datetime | None:
    return instant(value) if isinstance(value, str) else value


def pauses_of(answer: Iterable[Any]) -> list[tuple[datetime | None, datetime | None]]:
    """Pauses as pairs, from `{"from"|"began_at"|"started_at"|"start", "to"|"ended_at"|"end"}` or from pairs."""
    pairs = []
    for pause in answer:
        if isinstance(pause, Mapping):
            began = next(pause[key] for key in ("from", "began_at", "started_at", "start") if key in pause)
            ended = next((pause[key] for key in ("to", "until", "ended_at", "end") if key in pause), None)
        else:
            began, ended = pause
        pairs.append((moment(began), moment(ended)))
    return pairs


def anomalies_of(answer: Iterable[Any]) -> Counter[tuple[str, str | None, str | None]]:
    """Anomalies as (code, source, id), from `{"code", "source", "id"}`, `{"code", "event": {"source", "id"}}`, a bare
    code, or triples; the event of one a dossier is ignored."""
    found: list[tuple[str, str | None, str | None]] = []
    for anomaly in answer:
        if isinstance(anomaly, str):
            found.append((anomaly, None, None))
            continue
        if isinstance(anomaly, Mapping):
            logged = anomaly.get("event") or anomaly
            code = anomaly["code"]
            source = logged.get("source", logged.get("event_source"))
            identity = logged.get("id", logged.get("event_id"))
        else:
            code, source, identity = anomaly
        found.append((code, None, None) if code in PER_DOSSIER else (code, source, identity))
    return Counter(found)


def differences(
    oracle: Computation,
    product: Mapping[str, Any],
    *,
    fields: Iterable[str] = ITEM_FIELDS,
    names: Mapping[str, str] | None = None,
    ignore_anomalies: Iterable[str] = ("unknown_procedure", "unknown_agency"),
) -> list[str]:
    """The oracle's dossier against a dossier of the API: the item's fields, and pauses and anomalies where given."""
    found = []
    names = names or {}
    for field in fields:
        wanted = getattr(oracle, field)
        key = names.get(field, field)
        got = moment(product[key]) if field in INSTANTS else product[key]
        if wanted != got:
            found.append(f"{oracle.code} {field}: oracle {wanted}, product {got}")
    if "pauses" in product and oracle.pauses != pauses_of(product["pauses"]):
        found.append(f"{oracle.code} pauses: oracle {oracle.pauses}, product {pauses_of(product['pauses'])}")
    if "anomalies" in product:
        ignored = set(ignore_anomalies)
        wanted = Counter({key: count for key, count in oracle.anomalies.items() if key[0] not in ignored})
        got = Counter({key: n for key, n in anomalies_of(product["anomalies"]).items() if key[0] not in ignored})
        if wanted != got:
            found.append(
                f"{oracle.code} anomalies: only the oracle {sorted(map(str, wanted - got))}, "
                f"only the product {sorted(map(str, got - wanted))}"
            )
    return found


def figure_differences(
    oracle: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    parts: Iterable[str] = ("received", "resolved", "open", "rates", "checks"),
) -> list[str]:
    """The oracle's summary against an answer of `stats/summary` (or a row of `stats/by`): what the oracle has must be
    there and equal; what the answer has beside it (formula ids, names) is left alone."""
    found: list[str] = []

    def compare(path: str, wanted: Any, got: Any) -> None:
        if isinstance(wanted, Mapping):
            for key, value in wanted.items():
                if not isinstance(got, Mapping) or key not in got:
                    found.append(f"{path}.{key}: oracle {value}, the answer has none")
                else:
                    compare(f"{path}.{key}", value, got[key])
        elif wanted != got:
            found.append(f"{path}: oracle {wanted}, answer {got}")

    for part in parts:
        if part == "checks":
            held = {check["identity"]: check["holds"] for check in answer.get("checks", ())}
            compare("checks", {check["identity"]: check["holds"] for check in oracle["checks"]}, held)
        else:
            compare(part, oracle[part], answer.get(part))
    return found
