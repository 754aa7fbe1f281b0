"""What other registers tell of one dossier: folded from the log when asked, as the dossier is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from services.api.dossiers.payment_schemas import PaymentOut, payment_answer
from services.api.dossiers.record_schemas import ComponentsOut, FeedbackAboutOut, PostOut, SurveyOut
from shared.access.store.visibility import Access
from shared.database.engine import DriverConnection
from shared.dossiers.rules.dossier import Dossier
from shared.events.rules.registers import PAYMENT, STEP
from shared.events.rules.voids import void_problems
from shared.events.store import record_events
from shared.payments.store import attempts
from shared.projection.rules.records import Record, fold_record
from shared.projection.rules.register_projections import PROJECTIONS
from shared.projection.store import cursor as projections
from shared.registers.component.anomalies import result_anomalies
from shared.registers.feedback.complaints import dossier_complained_about
from shared.registers.post.anomalies import dossier_anomalies
from shared.vocabulary.events import RecordEvent
from shared.vocabulary.voids import absent_void_targets

_NOTHING: Final = Record(None)


async def read_records(
    connection: DriverConnection, access: Access, dossier: Dossier
) -> tuple[dict[str, Any], list[RecordEvent]]:
    """The fields of a dossier's answer that other registers give, and what was told of its steps."""
    tenant = access.tenant
    events = await record_events.concerning(connection, tenant, dossier.code)
    folded = {
        register: {code: fold_record(PROJECTIONS[register], code, told) for code, told in by_code.items()}
        for register, by_code in events.items()
        if register in PROJECTIONS  # else a newer version has written it
    }

    absent = {one for by_code in events.values() for told in by_code.values() for one in absent_void_targets(told)}
    elsewhere = await projections.present(connection, tenant, absent)

    def own(register: str) -> Record:
        record = folded.get(register, {}).get(dossier.code, _NOTHING)
        problems = void_problems(events.get(register, {}).get(dossier.code, ()), elsewhere)
        return replace(record, anomalies=[*record.anomalies, *(problem.value for problem in problems)])

    paid = attempts.of_dossier(events.get(PAYMENT.name, {}), dossier.code)
    company = await attempts.company_of(connection, tenant, paid)
    found: dict[str, Any] = {
        "payments": [PaymentOut(**payment_answer(one, dossier.agency_code, company)) for one in paid],
        "components": components(own("component"), dossier),
        "post": post(own("post"), dossier),
        "surveys": surveys(dossier, folded.get("survey", {})),
        "feedback": feedback(dossier, folded.get("feedback", {}), access),
    }
    return found, events.get(STEP.name, {}).get(dossier.code, [])


def components(record: Record, dossier: Dossier) -> ComponentsOut | None:
    """None: no effective event of the register tells of the dossier."""
    if not record.facts:
        return None
    return {
        "items": [
            {
                "component_code": code,
                "form": one.get("form"),
                "exempt": one.get("exempt"),
                "owed": one["owed"],
                "has_file": one["has_file"],
                "file": one.get("file"),
                "sources": one.get("sources", []),
            }
            for code, one in sorted(record.facts["components"].items())
        ],
        "results": [
            {
                "result_code": code,
                "has_file": one["has_file"],
                "file": one.get("file") if one["has_file"] else None,
                "signed": one.get("signed", False),
                "issued_at": one.get("issued_at"),
                "revoked_at": one.get("revoked_at"),
            }
            for code, one in sorted(record.facts["results"].items())
        ],
        "anomalies": [*record.anomalies, *result_anomalies(record.facts, dossier)],
    }


def post(record: Record, dossier: Dossier) -> PostOut | None:
    """None: the dossier has nothing to do with the post."""
    anomalies = [*record.anomalies, *dossier_anomalies(record.facts, dossier)]
    if not record.facts and not anomalies:
        return None
    facts = record.facts
    return {
        "collected_at": facts.get("collected_at"),
        "handed_over_at": facts.get("handed_over_at"),
        "return_requested_at": facts.get("return_requested_at"),
        "fee_vnd": facts.get("fee_vnd"),
        "way_back": [
            {
                "step": one["step"],
                "at": one["at"],
                "item_no": one["item_no"],
                "reason": one.get("reason"),
                "received_by_proxy": one.get("received_by_proxy"),
            }
            for one in facts.get("way_back", ())
        ],
        "anomalies": anomalies,
    }


def feedback(dossier: Dossier, records: Mapping[str, Record], access: Access) -> list[FeedbackAboutOut]:
    """The feedback about the dossier that the caller may see, by code."""
    return [
        {
            "code": code,
            "state": record.facts["state"],
            "kind": record.facts["kind"],
            "agency": record.agency,
            "route": record.facts["route"],
            "sent_at": record.facts["sent_at"],
            "received_at": record.facts["received_at"],
            "handled_at": record.facts["handled_at"],
            "published_at": record.facts["published_at"],
            "complained": dossier_complained_about(record.facts) is not None,
        }
        for code, record in sorted(records.items())
        if record.facts["about_dossier"] == dossier.code and access.sees(record.agency)
    ]


def surveys(dossier: Dossier, records: Mapping[str, Record]) -> list[SurveyOut]:
    """The sheets that name the dossier, by time."""
    found: list[SurveyOut] = [
        {
            "code": code,
            "agency": record.agency,
            "channel": record.facts["channel"],
            "overall": record.facts["overall"],
            "officer": record.facts.get("officer"),
            "answers": record.facts.get("answers", {}),
            "submitted_at": record.facts["at"],
        }
        for code, record in records.items()
        if record.facts.get("dossier_code") == dossier.code
    ]
    return sorted(found, key=lambda one: (one["submitted_at"], one["code"]))
