"""Long work, and reports that were frozen."""

from sqlalchemy import BigInteger, Column, Date, Index, PrimaryKeyConstraint, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.columns import Instant, metadata, required, tenant_column

job = Table(
    "job",
    metadata,
    tenant_column(),
    required("job_id", Text),
    required("kind", Text),
    # queued | running | done | failed
    required("state", Text),
    required("parameters", JSONB),
    required("progress", JSONB, server_default=text("'{}'")),
    Column("result", JSONB),
    Column("error", Text),
    required("created_at", Instant, server_default=text("now()")),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    required("fence", BigInteger, server_default="0"),
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

frozen_report = Table(
    "frozen_report",
    metadata,
    tenant_column(),
    required("freeze_id", Text),
    required("from_on", Date),
    required("to_on", Date),
    # what was counted; `agency` is the one whose subtree was, `root` that of the key (null: the whole tenant)
    required("agency", Text),
    Column("field", Text),
    Column("procedure", Text),
    Column("channel", Text),
    # all filters by name: the three above, and those that came later
    required("filters", JSONB, server_default="{}"),
    required("tree_on", Date),
    Column("root", Text),
    # by which events: up to `position`, all that were recorded by `as_of`, with the catalogues as known then
    required("position", BigInteger),
    required("as_of", Instant),
    required("key_id", Text),
    required("reason", Text),
    # the JSON as it was answered, and its SHA-256
    required("report", Text),
    required("checksum", Text),
    PrimaryKeyConstraint("tenant", "freeze_id"),
    Index("ix_frozen_report_tenant_as_of", "tenant", "as_of", "freeze_id"),
)
