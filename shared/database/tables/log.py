"""The truth: the append-only log and the counter of its positions."""

from sqlalchemy import ARRAY, BigInteger, Index, LargeBinary, PrimaryKeyConstraint, Table, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.columns import Instant, metadata, required, tenant_column

log_counter = Table(
    "log_counter",
    metadata,
    tenant_column(),
    required("position", BigInteger, server_default="0"),
    required("recorded_at", Instant, server_default=text("'-infinity'")),
    # up to this position the clock went by former rules: what they promised stands
    required("former_up_to", BigInteger, server_default="0"),
    # what the feed names: another log, another id
    required("log_id", Uuid, server_default=text("gen_random_uuid()")),
    PrimaryKeyConstraint("tenant"),
)

event_log = Table(
    "event_log",
    metadata,
    tenant_column(),
    required("position", BigInteger),
    required("recorded_at", Instant),
    required("source", Text),
    required("id", Text),
    # of a dossier's event its name alone, of any other register's ``<register>.<name>``
    required("name", Text),
    # the subject's code whatever the register: two registers may use the same one
    required("dossier_code", Text),
    required("time", Instant),
    required("data", JSONB),
    required("content_hash", LargeBinary),
    PrimaryKeyConstraint("tenant", "position"),
    UniqueConstraint("tenant", "source", "id"),
    Index("ix_event_log_tenant_dossier_code", "tenant", "dossier_code", "position"),
    # records of other registers that name a dossier in their data
    Index(
        "ix_event_log_about",
        "tenant",
        text("coalesce(data ->> 'dossier_code', data ->> 'about_dossier')"),
        postgresql_where=text("name LIKE '%.%' AND coalesce(data ->> 'dossier_code', data ->> 'about_dossier') IS NOT NULL"),
    ),
    # whether another register has new events
    Index(
        "ix_event_log_registers",
        "tenant",
        text("split_part(name, '.', 1)"),
        "position",
        postgresql_where=text("name LIKE '%.%'"),
    ),
)

event_redaction = Table(
    "event_redaction",
    metadata,
    tenant_column(),
    required("redaction_id", Text),
    required("redacted_at", Instant, server_default=text("now()")),
    required("position", BigInteger),
    required("fields", ARRAY(Text)),
    required("redactor", Text),
    required("reason", Text),
    # of the content as it is since; the event keeps that of what was told
    required("content_hash", LargeBinary),
    PrimaryKeyConstraint("tenant", "redaction_id"),
    Index("ix_event_redaction_tenant_position", "tenant", "position"),
)
