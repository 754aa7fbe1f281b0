"""What is derived from the log and can be recomputed at any time."""

from datetime import timedelta
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DATEMULTIRANGE, INT8MULTIRANGE

from shared.database.tables.columns import Instant, metadata, required, tenant_column

projection_cursor = Table(
    "projection_cursor",
    metadata,
    tenant_column(),
    required("projection", Text),
    required("position", BigInteger, server_default="0"),
    required("moved_at", Instant, server_default=text("now()")),
    # when a worker last moved it or found nothing to move: the sign of life of the projection
    required("checked_at", Instant, server_default=text("now()")),
    # how often the sums were corrected by other means than the events: a correction computed before another one is void
    required("corrections", BigInteger, server_default="0"),
    PrimaryKeyConstraint("tenant", "projection"),
)

projection_failure = Table(
    "projection_failure",
    metadata,
    tenant_column(),
    required("dossier_code", Text),
    required("position", BigInteger),
    required("reason", Text),
    required("attempts", Integer),
    required("failed_at", Instant),
    # null: no further try by itself, only with its next event or on demand
    Column("next_try_at", Instant),
    PrimaryKeyConstraint("tenant", "dossier_code"),
)

clock = Table(
    "clock",
    metadata,
    tenant_column(),
    # newest `known_from` of the calendar, the office hours and the procedures by which the dossiers were last examined, and
    # the last one examined by it; null: all are
    Column("version", Instant),
    Column("examined_code", Text),
    # dossiers up to this (due_at, code) were looked at after the day of their due date was over
    required("passed_at", Instant),
    required("passed_code", Text, server_default=""),
    PrimaryKeyConstraint("tenant"),
)

LONG_DUE: Final = timedelta(hours=1_440)
"""Nearly all are due sooner after their reception."""
LONG_AFTER_CODE: Final = timedelta(days=31)
"""Nearly all are received within so many days after the month of their code, and never before it."""

_DIGITS: Final = "split_part(code, '-', 2)"
_CODE_DAY: Final = (
    f"CASE WHEN translate({_DIGITS}, '0123456789', '') <> '' THEN NULL"
    f" WHEN length({_DIGITS}) = 6 THEN ('20' || {_DIGITS})::int WHEN {_DIGITS} LIKE '20______' THEN {_DIGITS}::int END"
)
_DAYS_AFTER_CODE: Final = "interval '31 days'"
_RECEIVED: Final = "(received_at AT TIME ZONE interval '7 hours')"


def _month(moment: str) -> str:
    """A month as a number, yyyymm00: no form that a date can be written in is one for ever, and an index needs that."""
    return f"(extract(year FROM {moment})::int * 10000 + extract(month FROM {moment})::int * 100)"


# Conditions of indexes: a statement finds them there if it says the same. A coalesce, which the planner takes for an even
# chance; what it sees as a span it takes for one in two hundred.
DUE_BEFORE_RECEIVED: Final = "due_at < received_at"
DUE_LONG_AFTER_RECEIVED: Final = "due_at - received_at >= interval '1440 hours'"
_MONTHS_OF_CODE: Final = f"int4range({_month(f'({_RECEIVED} - {_DAYS_AFTER_CODE})')}, {_month(_RECEIVED)} + 100)"
CODE_OF_ANOTHER_TIME: Final = f"coalesce(NOT ({_CODE_DAY}) <@ {_MONTHS_OF_CODE}, true)"

dossier = Table(
    "dossier",
    metadata,
    tenant_column(),
    required("code", Text),
    # last log position that this row has seen of its dossier
    required("position", BigInteger),
    Column("status", SmallInteger),
    # the competent one; where another agency's desk received, both (`shared.vocabulary.codes.agency_pair`)
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
    required("anomalies", ARRAY(Text), server_default="{}"),
    # what the figures count, rules section 6: local dates
    Column("received_on", Date),
    Column("ended_on", Date),
    Column("resolution", Text),
    required("within_days", DATEMULTIRANGE, server_default="{}"),
    required("overdue_days", DATEMULTIRANGE, server_default="{}"),
    required("paused_days", DATEMULTIRANGE, server_default="{}"),
    # what the national index counts, rules section 8 (shared.dossiers.rules.instant_facts): spans in microseconds since 1970
    Column("handled_at", Instant),
    Column("promised_from", Instant),
    required("late_instants", INT8MULTIRANGE, server_default="{}"),
    required("waits", INT8MULTIRANGE, server_default="{}"),
    required("marks", Integer, server_default="0"),
    # when the competent agency told that it has what another one's desk received
    Column("taken_over_at", Instant),
    PrimaryKeyConstraint("tenant", "code"),
    # behind the code stands what lists in this order are narrowed by: to walk past others takes no look into the table
    Index("ix_dossier_tenant_received_at", "tenant", "received_at", "code", "due_at", "agency"),
    Index("ix_dossier_tenant_due_at", "tenant", "due_at", "code", "received_at", "agency"),
    Index("ix_dossier_tenant_agency", "tenant", "agency", "received_at", "code"),
    Index("ix_dossier_tenant_procedure", "tenant", "procedure", "received_at", "code", "agency"),
    Index("ix_dossier_tenant_status", "tenant", "status", "received_at", "code", "agency"),
    # a handful each: of all others one date, or the date in the code, tells where the other lies: `search.store.order_spans`
    Index("ix_dossier_due_before_received", "tenant", "received_at", "code", postgresql_where=text(DUE_BEFORE_RECEIVED)),
    Index("ix_dossier_due_long_after", "tenant", "due_at", "code", postgresql_where=text(DUE_LONG_AFTER_RECEIVED)),
    Index("ix_dossier_code_of_another_time", "tenant", "received_at", "code", postgresql_where=text(CODE_OF_ANOTHER_TIME)),
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
    # nine of ten have none, and would stand in it all the same
    Index("ix_dossier_anomalies", "anomalies", postgresql_using="gin", postgresql_where=text("anomalies <> '{}'")),
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

figure_code = Table(
    "figure_code",
    metadata,
    tenant_column(),
    # `shared.counting.rules.branches.CodeKind`; a branch: the part of a code that agencies below it begin with, followed
    # by a dot
    required("kind", Text),
    required("code", Text),
    # what stands for it in figure_sum; 0 is no code
    required("number", Integer),
    # of an agency: the numbers of the branches that it is in
    required("branches", ARRAY(Integer), server_default="{}"),
    PrimaryKeyConstraint("tenant", "kind", "code"),
    Index("ix_figure_code_number", "tenant", "number", unique=True),
)

figure_sum = Table(
    "figure_sum",
    metadata,
    tenant_column(),
    # a cut and a year, month or day (shared.counting.store.slots)
    required("slot", Integer),
    # numbers of figure_code; 0: none named, or not kept apart by this rollup
    required("agency", Integer),
    required("procedure", Integer),
    required("channel", Text),
    *(required(measure, BigInteger, server_default="0") for measure in MEASURES),
    PrimaryKeyConstraint("tenant", "slot", "agency", "procedure", "channel"),
    postgresql_with={"fillfactor": "70"},
)

seen_agency = Table(
    "seen_agency",
    metadata,
    tenant_column(),
    # every agency that some dossier or other record has had, known to the catalogue or not
    required("agency", Text),
    PrimaryKeyConstraint("tenant", "agency"),
)

waiting_void = Table(
    "waiting_void",
    metadata,
    tenant_column(),
    # the event that a void names and that its own dossier does not have
    required("source", Text),
    required("id", Text),
    # the dossier of the void
    required("dossier_code", Text),
    PrimaryKeyConstraint("tenant", "source", "id", "dossier_code"),
)
