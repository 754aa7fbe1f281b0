"""What the application role may do, table by table: it may add to the log and never change it."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

from shared.database.tables import metadata

READ_ONLY: Final = "SELECT"
APPEND_ONLY: Final = "SELECT, INSERT"
DERIVED: Final = "SELECT, INSERT, UPDATE, DELETE"

PRIVILEGES: Final[Mapping[str, str]] = {
    "tenant": APPEND_ONLY,
    "api_key": "SELECT, INSERT, UPDATE",
    "log_counter": "SELECT, INSERT, UPDATE",
    "event_log": APPEND_ONLY,
    # only the owner changes the log, and notes it there
    "event_redaction": READ_ONLY,
    # personal data can be de-identified when its retention ends
    "applicant": "SELECT, INSERT, UPDATE",
    "applicant_erasure": APPEND_ONLY,
    "applicant_reading": APPEND_ONLY,
    "agency": APPEND_ONLY,
    "procedure": APPEND_ONLY,
    "calendar_day": APPEND_ONLY,
    "calendar_year": APPEND_ONLY,
    "office_hours": APPEND_ONLY,
    "index_input": APPEND_ONLY,
    "given_table": APPEND_ONLY,
    "frozen_report": APPEND_ONLY,
    "projection_cursor": DERIVED,
    "projection_failure": DERIVED,
    "dossier": DERIVED,
    "clock": DERIVED,
    "figure_code": DERIVED,
    "figure_sum": DERIVED,
    "seen_agency": DERIVED,
    "waiting_void": DERIVED,
    "record": DERIVED,
    "record_sum": DERIVED,
    "record_failure": DERIVED,
    # a statement that is loaded again replaces the one before
    "payment_statement": "SELECT, INSERT, UPDATE",
    "payment_closing": DERIVED,
    "sync_ledger": "SELECT, INSERT, UPDATE",
    "sync_step": "SELECT, INSERT, UPDATE",
    "sync_attempt": DERIVED,
    "sync_difference": DERIVED,
    "sync_alarm": DERIVED,
    "portal_session": "SELECT, INSERT, UPDATE",
    "portal_circuit": "SELECT, INSERT, UPDATE",
    "payment_inquiry": DERIVED,
    "payment_circuit": "SELECT, INSERT, UPDATE",
    "job": "SELECT, INSERT, UPDATE",
    "audit": "SELECT, INSERT, UPDATE",
    "audit_alarm": "SELECT, INSERT, UPDATE",
    "audit_finding": APPEND_ONLY,
}


def grant_application_role(connection: Connection, role: str) -> None:
    """Give ``role`` exactly ``PRIVILEGES``; nothing to do where the owner and the application are one role."""
    owner = connection.execute(text("SELECT current_user")).scalar_one()
    if not role or role == owner:
        return
    quoted = connection.dialect.identifier_preparer.quote(role)
    schema = connection.execute(text("SELECT current_schema()")).scalar_one()
    present = set(connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")).scalars())
    connection.execute(text(f'GRANT USAGE ON SCHEMA "{schema}" TO {quoted}'))
    for table in metadata.sorted_tables:
        if table.name in present:
            connection.execute(text(f"REVOKE ALL ON {table.name} FROM {quoted}"))
            connection.execute(text(f"GRANT {PRIVILEGES[table.name]} ON {table.name} TO {quoted}"))
    if "alembic_version" in present:
        connection.execute(text(f"GRANT {READ_ONLY} ON alembic_version TO {quoted}"))
