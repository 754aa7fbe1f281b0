"""A folded dossier as the answer of ``GET /v1/dossiers/{code}``, and a listed one as an item."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict

from services.api.dossiers.schemas import (
    STATUS_NAMES,
    AnomalyOut,
    ApplicantOut,
    DossierDetail,
    DueDate,
    DueDates,
    DueSettingOut,
    DueUncomputed,
    EventReference,
    MaskedApplicant,
    PauseOut,
    SyncOut,
    TimelineOut,
    VoidOut,
)
from shared.access.store.visibility import Access
from shared.counting.rules.contributions import contributions, covers
from shared.deadlines.rules.due_dates import Uncomputed, UncomputedReason
from shared.dossiers.rules.anomalies import Anomaly, AnomalyCode
from shared.dossiers.rules.dossier import Dossier
from shared.dossiers.rules.dossier import timeline as timeline_of
from shared.dossiers.rules.facts import DueSetting, TimelineEntry
from shared.dossiers.store.applicant_access import ApplicantData
from shared.events.rules.personal_text import personal_texts
from shared.search.store.pages import ListedDossier, anomalies_of
from shared.vocabulary.events import Event, EventName


class ItemJson(TypedDict):
    """A `DossierItem` as plain values: lists have hundreds."""

    code: str
    status: int | None
    agency: str | None
    receiving_agency: str | None
    procedure: str | None
    channel: str | None
    received_at: datetime | None
    taken_over_at: datetime | None
    due_at: datetime | None
    promised_at: datetime | None
    ended_at: datetime | None
    end_kind: str | None
    open: bool
    overdue: bool
    paused: bool
    awaiting_takeover: bool
    last_event_at: datetime | None
    anomalies: list[str]


class ListJson(TypedDict):
    """A `DossierList` as plain values."""

    items: list[ItemJson]
    next_cursor: str | None
    count: NotRequired[int | None]


ITEM_FIELDS: Final = tuple(ItemJson.__annotations__)
"""The columns of a list as CSV, in their order."""

_UNCOMPUTED: Final[Mapping[UncomputedReason, str]] = {
    UncomputedReason.UNKNOWN_PROCEDURE: "no catalogue knows the procedure, so its time limit is not known",
    UncomputedReason.PROCEDURE_WITHOUT_LIMIT: "the procedure has no time limit in the catalogue",
    UncomputedReason.UNCONFIRMED_YEAR: "the term reaches into a year whose days off nobody has confirmed",
    UncomputedReason.AWAITING_TAKEOVER: "the term runs from when the competent agency takes the dossier over",
    UncomputedReason.NOT_COMPUTED: "the due date is about to be computed",
}


def item(listed: ListedDossier, access: Access) -> ItemJson:
    """A dossier of a list."""
    is_open = listed.received_at is not None and listed.ended_at is None
    return {
        "code": listed.code,
        "status": listed.status,
        "agency": listed.competent_agency,
        "receiving_agency": listed.receiving_agency,
        "procedure": listed.procedure,
        "channel": listed.channel,
        "received_at": listed.received_at,
        "taken_over_at": listed.taken_over_at,
        "due_at": listed.due_at,
        "promised_at": listed.promised_at,
        "ended_at": listed.ended_at,
        "end_kind": listed.end_kind,
        "open": is_open,
        "overdue": listed.overdue,
        "paused": listed.paused,
        "awaiting_takeover": is_open and listed.taken_over_at is None,
        "last_event_at": listed.last_event_at,
        "anomalies": anomalies_of(listed, access),
    }


def detail(
    dossier: Dossier,
    events: Sequence[Event],
    void_problems: Iterable[Anomaly],
    access: Access,
    *,
    applicant_data: ApplicantData,
    owed: Uncomputed | None,
    sync: SyncOut | None,
    records: Mapping[str, Any],
) -> DossierDetail:
    """What the events of one dossier tell, its applicant masked, the clock's side (``owed``) and the portal's."""
    timeline = timeline_of(events)
    catalogue = access.catalogue
    counted = contributions(dossier)
    procedure = None if dossier.procedure_code is None else catalogue.procedures.get(dossier.procedure_code)
    agency = dossier.agency_code
    unknown = _unknown(dossier, timeline, access)
    return DossierDetail(
        code=dossier.code,
        position=dossier.last_position,
        status=dossier.status,
        status_name=None if dossier.status is None else STATUS_NAMES[dossier.status],
        agency=agency,
        agency_name=None if agency is None else catalogue.tree_on(access.today).name(agency),
        receiving_agency=dossier.receiving_agency_code,
        procedure=dossier.procedure_code,
        procedure_name=None if procedure is None else procedure.name,
        field=None if procedure is None else procedure.field,
        channel=dossier.channel,
        submitted_at=dossier.submitted_at,
        received_at=dossier.received_at,
        taken_over_at=dossier.taken_over_at,
        awaiting_takeover=dossier.awaits_takeover,
        original_due_at=dossier.original_due_at,
        due_at=dossier.due_at,
        promised_at=dossier.promised_at,
        ended_at=dossier.ended_at,
        end_kind=dossier.end_kind,
        returned_at=dossier.returned_at,
        open=dossier.is_open,
        overdue=counted is not None and covers(counted.overdue, access.today),
        paused=counted is not None and covers(counted.paused, access.today),
        last_event_at=dossier.last_event_at,
        due_dates=_due_dates(dossier),
        pauses=[PauseOut(from_=pause.begun_at, until=pause.until) for pause in dossier.pauses],
        anomalies=[_anomaly(one) for one in (*dossier.anomalies, *unknown, *void_problems)],
        timeline=[_entry(entry) for entry in timeline],
        applicant=_masked(dossier, applicant_data),
        due_uncomputed=_due_uncomputed(owed),
        sync=sync,
        **records,
    )


def _kind(event: Event) -> str | None:
    kind: str | None = event.data["applicant"].get("kind")
    return kind


def _masked(dossier: Dossier, data: ApplicantData) -> MaskedApplicant | None:
    """The applicant so that nobody is recognised; None: no event brought one."""
    event = dossier.applicant_event
    if event is None:
        return None
    return MaskedApplicant(
        kind=_kind(event),
        name=data.name,
        id_type=data.id_type,
        id_number=data.id_number,
        phone=data.phone,
    )


def applicant(dossier: Dossier, data: ApplicantData) -> ApplicantOut:
    """The applicant's personal data."""
    event = dossier.applicant_event
    return ApplicantOut(
        dossier=dossier.code,
        kind=None if event is None else _kind(event),
        name=data.name,
        id_type=data.id_type,
        id_number=data.id_number,
        phone=data.phone,
        email=data.email,
        address=data.address,
    )


def _unknown(dossier: Dossier, timeline: Sequence[TimelineEntry], access: Access) -> list[Anomaly]:
    """``unknown_procedure`` and ``unknown_agency``, with the event that told the code (rules, section 4)."""
    effective = [entry.event for entry in timeline if entry.effective]
    received = next((event for event in effective if event.name is EventName.RECEIVED), None)
    submitted = next((event for event in reversed(effective) if event.name is EventName.SUBMITTED), None)
    transferred = next((event for event in reversed(effective) if event.name is EventName.TRANSFERRED), None)
    core = received or submitted
    found: list[Anomaly] = []
    if core is not None and dossier.procedure_code not in access.catalogue.procedures:
        found.append(Anomaly.of(AnomalyCode.UNKNOWN_PROCEDURE, core))
    cause = transferred or core
    if cause is not None and dossier.agency_code is not None and not _known(dossier, access):
        found.append(Anomaly.of(AnomalyCode.UNKNOWN_AGENCY, cause))
    return found


def _known(dossier: Dossier, access: Access) -> bool:
    counted = contributions(dossier)
    on = access.today if counted is None else counted.received_on
    return dossier.agency_code is not None and access.catalogue.agencies.is_known(dossier.agency_code, on)


def _anomaly(anomaly: Anomaly) -> AnomalyOut:
    return AnomalyOut(
        code=anomaly.code.value,
        source=anomaly.source,
        id=anomaly.event_id,
        position=anomaly.position,
    )


def _reference(event: Event) -> EventReference:
    return EventReference(
        source=event.source,
        id=event.id,
        name=event.name.value,
        time=event.time,
        position=event.position,
    )


def _due(setting: DueSetting | None) -> DueDate | None:
    return None if setting is None else DueDate(at=setting.due_at, set_by=_reference(setting.event))


def _setting(setting: DueSetting) -> DueSettingOut:
    return DueSettingOut(at=setting.due_at, set_by=_reference(setting.event), moved=setting.moved)


def _due_dates(dossier: Dossier) -> DueDates:
    settings = dossier.due_settings
    in_force = next((one for one in reversed(settings) if one.moved and one.due_at == dossier.due_at), None)
    return DueDates(
        original=_due(settings[0] if settings else None),
        in_force=_due(in_force),
        promised=_due(settings[-1] if settings else None),
        settings=[_setting(one) for one in settings],
        postponements=[_setting(one) for one in dossier.postponements],
    )


def _due_uncomputed(uncomputed: Uncomputed | None) -> DueUncomputed | None:
    """Why the clock has not set a date that it should set; None: it owes none."""
    if uncomputed is None:
        return None
    return DueUncomputed(
        reason=uncomputed.reason.value,
        detail=_UNCOMPUTED[uncomputed.reason],
        year=uncomputed.year,
        event=_reference(uncomputed.event),
    )


def _entry(entry: TimelineEntry) -> TimelineOut:
    event, void = entry.event, entry.voided_by
    data = dict(event.data)
    if "applicant" in data:
        data["applicant"] = {"kind": data["applicant"].get("kind")}  # the digest is of no use to a reader
    voided_by = None
    if void is not None:
        voided_by = VoidOut(source=void.source, id=void.id, position=void.position, reason=void.data.get("reason"))
    return TimelineOut(
        position=event.position,
        recorded_at=event.recorded_at,
        source=event.source,
        id=event.id,
        name=event.name.value,
        time=event.time,
        status=entry.status,
        effective=entry.effective,
        voided=void is not None,
        voided_by=voided_by,
        data=data,
        personal=[name for name, _ in personal_texts(data)],
    )
