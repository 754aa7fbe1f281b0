"""Every table of motcua, by subject. The tenant (a province or ministry, ``H51``) stands first in every key."""

from shared.database.tables.audit import audit, audit_alarm, audit_finding
from shared.database.tables.catalogue import (
    agency,
    calendar_day,
    calendar_year,
    given_table,
    index_input,
    office_hours,
    procedure,
)
from shared.database.tables.columns import metadata
from shared.database.tables.log import event_log, event_redaction, log_counter
from shared.database.tables.payment_platform import payment_circuit, payment_inquiry
from shared.database.tables.payments import payment_closing, payment_statement
from shared.database.tables.people import api_key, applicant, applicant_erasure, applicant_reading, tenant
from shared.database.tables.portal import (
    portal_circuit,
    portal_session,
    sync_alarm,
    sync_attempt,
    sync_difference,
    sync_ledger,
    sync_step,
)
from shared.database.tables.projection import (
    MEASURES,
    clock,
    dossier,
    figure_code,
    figure_sum,
    projection_cursor,
    projection_failure,
    seen_agency,
    waiting_void,
)
from shared.database.tables.records import record, record_failure, record_sum
from shared.database.tables.work import frozen_report, job

__all__ = [
    "MEASURES",
    "agency",
    "api_key",
    "applicant",
    "applicant_erasure",
    "applicant_reading",
    "audit",
    "audit_alarm",
    "audit_finding",
    "calendar_day",
    "calendar_year",
    "clock",
    "dossier",
    "event_log",
    "event_redaction",
    "figure_code",
    "figure_sum",
    "frozen_report",
    "given_table",
    "index_input",
    "job",
    "log_counter",
    "metadata",
    "office_hours",
    "payment_circuit",
    "payment_closing",
    "payment_inquiry",
    "payment_statement",
    "portal_circuit",
    "portal_session",
    "procedure",
    "projection_cursor",
    "projection_failure",
    "record",
    "record_failure",
    "record_sum",
    "seen_agency",
    "sync_alarm",
    "sync_attempt",
    "sync_difference",
    "sync_ledger",
    "sync_step",
    "tenant",
    "waiting_void",
]
