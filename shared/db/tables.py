"""Every table of motcua. The tenant (a province or ministry, ``H51``) stands first in every key.

Kinds of tables: the *truth* (event_log with its counter, applicant, the catalogues, keys) and what is *derived* from it and
can be recomputed at any time (dossier, figure_sum, projection_*), and the *ledger* of what the national portal was sent.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE, INT8MULTIRANGE, JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Instant = DateTime(timezone=True)


def _tenant() -> Column[str]:
    return Column("tenant", Text, nullable=False)


def _required(name: str, type_: object, **options: object) -> Column[object]:
    return Column(name, type_, nullable=False, **options)  # type: ignore[arg-type]


# --- who ---

tenant = Table(
    "tenant",
    metadata,
    _tenant(),
    _required("name", Text),
    _required("created_at", Instant, server_default=text("now()")),
    # keys the hash by which personal data enters an event's content hash
    _required("content_key", LargeBinary),
    PrimaryKeyConstraint("tenant"),
)

api_key = Table(
    "api_key",
    metadata,
    _tenant(),
    _required("key_id", Text),
    _required("key_hash", LargeBinary),
    _required("label", Text, server_default=""),
    _required("scopes", ARRAY(Text)),
    # root of the agency subtree that the key may see; null: the whole tenant
    Column("agency", Text),
    _required("created_at", Instant, server_default=text("now()")),
    Column("revoked_at", Instant),
    PrimaryKeyConstraint("tenant", "key_id"),
)

# --- the truth ---

log_counter = Table(
    "log_counter",
    metadata,
    _tenant(),
    _required("position", BigInteger, server_default="0"),
    _required("recorded_at", Instant, server_default=text("'-infinity'")),
    PrimaryKeyConstraint("tenant"),
)

event_log = Table(
    "event_log",
    metadata,
    _tenant(),
    _required("position", BigInteger),
    _required("recorded_at", Instant),
    _required("source", Text),
    _required("id", Text),
    _required("name", Text),
    _required("dossier_code", Text),
    _required("time", Instant),
    _required("data", JSONB),
    _required("content_hash", LargeBinary),
    PrimaryKeyConstraint("tenant", "position"),
    UniqueConstraint("tenant", "source", "id"),
    Index("ix_event_log_tenant_dossier_code", "tenant", "dossier_code", "position"),
)

applicant = Table(
    "applicant",
    metadata,
    _tenant(),
    _required("dossier_code", Text),
    _required("source", Text),
    _required("id", Text),
    Column("name", Text),
    Column("id_type", Text),
    Column("id_number", Text),
    Column("phone", Text),
    Column("email", Text),
    Column("address", Text),
    PrimaryKeyConstraint("tenant", "dossier_code", "source", "id"),
)

applicant_reading = Table(
    "applicant_reading",
    metadata,
    _tenant(),
    _required("reading_id", Text),
    _required("read_at", Instant, server_default=text("now()")),
    _required("dossier_code", Text),
    _required("reader", Text),
    _required("purpose", Text),
    _required("request_id", Text),
    PrimaryKeyConstraint("tenant", "reading_id"),
    Index("ix_applicant_reading_tenant_dossier_code", "tenant", "dossier_code", "read_at"),
)

# Catalogues are never changed in place: a row is one version as it was told, `known_from` until a later row of the same key.

agency = Table(
    "agency",
    metadata,
    _tenant(),
    _required("code", Text),
    _required("known_from", Instant),
    # a code may have several periods of validity: all that were told of it at `known_from`, numbered
    _required("ordinal", SmallInteger, server_default="0"),
    _required("name", Text),
    Column("parent", Text),
    Column("valid_from", Date),
    Column("valid_to", Date),
    Column("legal_basis", Text),
    _required("successors", ARRAY(Text), server_default="{}"),
    _required("aliases", ARRAY(Text), server_default="{}"),
    _required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "code", "known_from", "ordinal"),
)

procedure = Table(
    "procedure",
    metadata,
    _tenant(),
    _required("code", Text),
    _required("known_from", Instant),
    _required("name", Text),
    Column("field", Text),
    Column("field_name", Text),
    Column("level", Text),
    Column("limit_value", Integer),
    Column("limit_unit", Text),
    _required("supplement_policy", Text, server_default="pause"),
    _required("payment_pauses", Boolean, server_default=text("false")),
    _required("result_is_document", Boolean, server_default=text("false")),
    _required("has_fee", Boolean, server_default=text("false")),
    Column("online_level", Text),
    _required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "code", "known_from"),
)

calendar_day = Table(
    "calendar_day",
    metadata,
    _tenant(),
    _required("date", Date),
    _required("known_from", Instant),
    _required("kind", Text),
    _required("source", Text, server_default=""),
    _required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "date", "known_from"),
)

calendar_year = Table(
    "calendar_year",
    metadata,
    _tenant(),
    _required("year", SmallInteger),
    _required("known_from", Instant),
    _required("confirmed", Boolean),
    PrimaryKeyConstraint("tenant", "year", "known_from"),
)

index_input = Table(
    "index_input",
    metadata,
    _tenant(),
    # an indicator of Decision 766 that dossiers do not feed, for an agency's subtree (the tenant's own code: for all of it)
    _required("indicator", Text),
    _required("agency", Text),
    _required("from_on", Date),
    _required("to_on", Date),
    _required("known_from", Instant),
    # null: only the denominator is given (1.4: received by the national report)
    Column("numerator", BigInteger),
    _required("denominator", BigInteger),
    # the paper it stands in, and its date
    _required("source", Text),
    _required("source_on", Date),
    PrimaryKeyConstraint("tenant", "indicator", "agency", "from_on", "to_on", "known_from"),
)

office_hours = Table(
    "office_hours",
    metadata,
    _tenant(),
    # of this agency and those below it by code; the tenant's own code: of all that have no other
    _required("agency", Text),
    _required("known_from", Instant),
    # '07:30-11:30,13:30-17:00' on the ISO weekdays 1 (Monday) to 7
    _required("spans", Text),
    _required("weekdays", ARRAY(SmallInteger)),
    _required("removed", Boolean, server_default=text("false")),
    PrimaryKeyConstraint("tenant", "agency", "known_from"),
)

# --- derived ---

projection_cursor = Table(
    "projection_cursor",
    metadata,
    _tenant(),
    _required("projection", Text),
    _required("position", BigInteger, server_default="0"),
    _required("moved_at", Instant, server_default=text("now()")),
    # when a worker last moved it or found nothing to move: the sign of life of the projection
    _required("checked_at", Instant, server_default=text("now()")),
    # how often the sums were corrected by other means than the events: a correction reckoned before another one is void
    _required("corrections", BigInteger, server_default="0"),
    PrimaryKeyConstraint("tenant", "projection"),
)

projection_failure = Table(
    "projection_failure",
    metadata,
    _tenant(),
    _required("dossier_code", Text),
    _required("position", BigInteger),
    _required("reason", Text),
    _required("attempts", Integer),
    _required("failed_at", Instant),
    # null: no further try by itself, only with its next event or on demand
    Column("next_try_at", Instant),
    PrimaryKeyConstraint("tenant", "dossier_code"),
)

dossier = Table(
    "dossier",
    metadata,
    _tenant(),
    _required("code", Text),
    # last log position that this row has seen of its dossier
    _required("position", BigInteger),
    Column("status", SmallInteger),
    Column("agency", Text),
    Column("procedure", Text),
    Column("channel", Text),
    Column("received_at", Instant),
    Column("due_at", Instant),
    Column("promised_at", Instant),
    Column("ended_at", Instant),
    Column("end_kind", Text),
    # of the last effective event (null: all are voided), and of the last one that the product did not write itself
    Column("last_event_at", Instant),
    Column("touched_at", Instant),
    _required("anomalies", ARRAY(Text), server_default="{}"),
    # what the figures count, rules section 6: local dates
    Column("received_on", Date),
    Column("ended_on", Date),
    Column("resolution", Text),
    _required("within_days", DATEMULTIRANGE, server_default="{}"),
    _required("overdue_days", DATEMULTIRANGE, server_default="{}"),
    _required("paused_days", DATEMULTIRANGE, server_default="{}"),
    # what the national index counts, rules section 8 (shared.domain.index_facts): spans in microseconds since 1970
    Column("handled_at", Instant),
    Column("promised_from", Instant),
    _required("late_instants", INT8MULTIRANGE, server_default="{}"),
    _required("waits", INT8MULTIRANGE, server_default="{}"),
    _required("marks", Integer, server_default="0"),
    PrimaryKeyConstraint("tenant", "code"),
    Index("ix_dossier_tenant_received_at", "tenant", "received_at", "code"),
    Index("ix_dossier_tenant_due_at", "tenant", "due_at", "code"),
    Index("ix_dossier_tenant_agency", "tenant", "agency", "received_at", "code"),
    Index("ix_dossier_tenant_procedure", "tenant", "procedure", "received_at", "code"),
    Index("ix_dossier_tenant_status", "tenant", "status", "received_at", "code"),
    Index("ix_dossier_tenant_ended_on", "tenant", "ended_on", "code"),
    Index(
        "ix_dossier_open_received",
        "tenant",
        "received_at",
        "code",
        postgresql_where=text("received_on IS NOT NULL AND ended_on IS NULL"),
    ),
    Index(
        "ix_dossier_open",
        "tenant",
        "agency",
        "due_at",
        "code",
        postgresql_where=text("received_on IS NOT NULL AND ended_on IS NULL"),
    ),
    Index("ix_dossier_anomalies", "anomalies", postgresql_using="gin"),
)

clock = Table(
    "clock",
    metadata,
    _tenant(),
    # newest `known_from` of the calendar, the office hours and the procedures by which the dossiers were last examined, and
    # the last one examined by it; null: all are
    Column("version", Instant),
    Column("examined_code", Text),
    # dossiers up to this (due_at, code) were looked at after the day of their due date was over
    _required("passed_at", Instant),
    _required("passed_code", Text, server_default=""),
    PrimaryKeyConstraint("tenant"),
)

MEASURES = (
    "received",
    "resolved_early",
    "resolved_on_time",
    "resolved_late",
    "withdrawn",
    "stopped",
    "within",
    "overdue",
    "paused",
)
"""Columns of figure_sum: six flows counted on their day, then three stocks as signed changes on the day they change."""

figure_sum = Table(
    "figure_sum",
    metadata,
    _tenant(),
    # which keys are kept apart: 'agency', 'procedure' or 'cell' (agency and procedure); the others are ''
    _required("cut", Text),
    # 'year', 'month' or 'day', with its first day
    _required("grain", Text),
    _required("starts_on", Date),
    _required("agency", Text),
    _required("procedure", Text),
    _required("channel", Text),
    *(_required(measure, BigInteger, server_default="0") for measure in MEASURES),
    PrimaryKeyConstraint("tenant", "cut", "grain", "starts_on", "agency", "procedure", "channel"),
    postgresql_with={"fillfactor": "70"},
)

seen_agency = Table(
    "seen_agency",
    metadata,
    _tenant(),
    # every agency that some dossier has had, known to the catalogue or not
    _required("agency", Text),
    PrimaryKeyConstraint("tenant", "agency"),
)

waiting_void = Table(
    "waiting_void",
    metadata,
    _tenant(),
    # the event that a void names and that its own dossier does not have
    _required("source", Text),
    _required("id", Text),
    # the dossier of the void
    _required("dossier_code", Text),
    PrimaryKeyConstraint("tenant", "source", "id", "dossier_code"),
)

frozen_report = Table(
    "frozen_report",
    metadata,
    _tenant(),
    _required("freeze_id", Text),
    _required("from_on", Date),
    _required("to_on", Date),
    # what was counted; `agency` is the one whose subtree was, `root` that of the key (null: the whole tenant)
    _required("agency", Text),
    Column("field", Text),
    Column("procedure", Text),
    Column("channel", Text),
    _required("tree_on", Date),
    Column("root", Text),
    # by which events: up to `position`, all that were recorded by `as_of`, with the catalogues as known then
    _required("position", BigInteger),
    _required("as_of", Instant),
    _required("key_id", Text),
    _required("reason", Text),
    # the JSON as it was answered, and its SHA-256
    _required("report", Text),
    _required("checksum", Text),
    PrimaryKeyConstraint("tenant", "freeze_id"),
    Index("ix_frozen_report_tenant_as_of", "tenant", "as_of", "freeze_id"),
)

# --- the portal ---

sync_ledger = Table(
    "sync_ledger",
    metadata,
    _tenant(),
    _required("dossier_code", Text),
    # pending | sent | parked | unsendable
    _required("state", Text),
    # log positions: what the portal should hold (and since when it should), what was last put on the wire, and what
    # the portal acknowledged for each step of the protocol
    _required("wanted_position", BigInteger),
    _required("wanted_at", Instant),
    _required("sent_position", BigInteger, server_default="0"),
    _required("dossier_position", BigInteger, server_default="0"),
    _required("progress_position", BigInteger, server_default="0"),
    # of the body that the portal acknowledged; null: none, or not known for certain
    Column("dossier_body_hash", LargeBinary),
    # something older may have reached the portal after it: the newest version is sent once more
    _required("in_doubt", Boolean, server_default=text("false")),
    # whether the portal knows the dossier as far as we know: decides create or update
    _required("known_there", Boolean, server_default=text("false")),
    # shared.domain.sync_order: the lower the sooner; until live_until it goes before the backlog
    _required("priority", SmallInteger, server_default="0"),
    Column("live_until", Instant),
    _required("next_try_at", Instant),
    _required("attempts", Integer, server_default="0"),
    Column("error_class", Text),
    Column("error_detail", Text),
    # lease: who is sending, until when; the fence rises with every claim
    _required("fence", BigInteger, server_default="0"),
    Column("leased_until", Instant),
    Column("acknowledged_at", Instant),
    PrimaryKeyConstraint("tenant", "dossier_code"),
    Index(
        "ix_sync_ledger_pending",
        "tenant",
        "priority",
        "next_try_at",
        "dossier_code",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "ix_sync_ledger_live",
        "tenant",
        "live_until",
        postgresql_where=text("state = 'pending' AND live_until IS NOT NULL"),
    ),
    Index(
        "ix_sync_ledger_parked",
        "tenant",
        "error_class",
        "dossier_code",
        postgresql_where=text("state IN ('parked', 'unsendable')"),
    ),
    postgresql_with={"fillfactor": "70"},
)

sync_step = Table(
    "sync_step",
    metadata,
    _tenant(),
    _required("dossier_code", Text),
    # the natural key of a progress step at the portal, to its resolution of a second. `staff` is the officer's code, '' when
    # the event names none; `officer` is the text that was sent for it and is never changed: an agency that is renamed
    # between a send and its repetition must not make a second step of it
    _required("happened_at", Instant),
    _required("status", SmallInteger),
    _required("staff", Text),
    _required("officer", Text),
    _required("position", BigInteger),
    _required("recorded_at", Instant),
    _required("sent_at", Instant),
    Column("acknowledged_at", Instant),
    PrimaryKeyConstraint("tenant", "dossier_code", "happened_at", "status", "staff"),
)

sync_attempt = Table(
    "sync_attempt",
    metadata,
    _tenant(),
    _required("dossier_code", Text),
    _required("fence", BigInteger),
    # dossier | progress
    _required("step", Text),
    _required("position", BigInteger),
    Column("body_hash", LargeBinary),
    # create | update | append
    _required("operation", Text),
    _required("started_at", Instant),
    _required("ended_at", Instant),
    # accepted, already_there, unknown_there, or an error class of shared.domain.retry
    _required("outcome", Text),
    Column("detail", Text),
    PrimaryKeyConstraint("tenant", "dossier_code", "fence", "step", "started_at"),
    Index("ix_sync_attempt_failed", "tenant", "ended_at", postgresql_where=text("outcome <> 'accepted'")),
)

portal_session = Table(
    "portal_session",
    metadata,
    _tenant(),
    Column("session", Text),
    _required("generation", BigInteger, server_default="0"),
    Column("opened_at", Instant),
    # one worker at a time logs in; until then the others wait for the next generation
    Column("renewing_until", Instant),
    PrimaryKeyConstraint("tenant"),
)

portal_circuit = Table(
    "portal_circuit",
    metadata,
    _tenant(),
    # a CircuitState of shared.domain.circuit
    _required("state", Text, server_default="closed"),
    _required("failures", Integer, server_default="0"),
    _required("openings", Integer, server_default="0"),
    Column("reason", Text),
    Column("opened_at", Instant),
    Column("retry_at", Instant),
    # share of the pace from that instant on, doubling to the whole: after an outage or when the portal asked for less
    _required("ramp_share", Float, server_default="1"),
    Column("ramp_from", Instant),
    # the call after the last one that was let go may start now
    Column("paced_until", Instant),
    # rises with every change: changes are made by compare and set
    _required("version", BigInteger, server_default="0"),
    PrimaryKeyConstraint("tenant"),
)

# --- long work ---

job = Table(
    "job",
    metadata,
    _tenant(),
    _required("job_id", Text),
    _required("kind", Text),
    # queued | running | done | failed
    _required("state", Text),
    _required("parameters", JSONB),
    _required("progress", JSONB, server_default=text("'{}'")),
    Column("result", JSONB),
    Column("error", Text),
    _required("created_at", Instant, server_default=text("now()")),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    _required("fence", BigInteger, server_default="0"),
    Column("leased_until", Instant),
    PrimaryKeyConstraint("tenant", "job_id"),
    Index("ix_job_unfinished", "tenant", "created_at", postgresql_where=text("state IN ('queued', 'running')")),
    # one at a time: a second start is refused
    Index(
        "uq_job_rebuild",
        "tenant",
        "kind",
        unique=True,
        postgresql_where=text("kind = 'rebuild' AND state IN ('queued', 'running')"),
    ),
)
