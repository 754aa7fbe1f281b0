"""Audits: what was recounted from the log, and every difference that was found, with what it was made of."""

from sqlalchemy import BigInteger, Column, Date, Index, Integer, PrimaryKeyConstraint, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from shared.database.tables.columns import Instant, metadata, required, tenant_column

audit = Table(
    "audit",
    metadata,
    tenant_column(),
    # that of its job
    required("audit_id", Text),
    # of a scheduled one: the night whose slots it covers, with those that were missed before it
    Column("night", Date),
    required("seed", BigInteger),
    # its parts as `shared.audit.rules.plan.Part` writes them, and how many of them are done
    required("parts", JSONB),
    required("parts_done", Integer, server_default="0"),
    # only the sums of these days, where it was asked so
    Column("from_on", Date),
    Column("to_on", Date),
    # of the part that was recounted last
    required("position", BigInteger, server_default="0"),
    required("sums_compared", BigInteger, server_default="0"),
    required("dossiers_compared", BigInteger, server_default="0"),
    required("sums_differing", BigInteger, server_default="0"),
    required("dossiers_differing", BigInteger, server_default="0"),
    required("planned_at", Instant),
    Column("ended_at", Instant),
    PrimaryKeyConstraint("tenant", "audit_id"),
    Index("ix_audit_tenant_planned_at", "tenant", "planned_at", "audit_id"),
)

audit_alarm = Table(
    "audit_alarm",
    metadata,
    tenant_column(),
    # of the audit and the part: the same part raises one alarm however often it is begun
    required("alarm_id", Text),
    required("audit_id", Text),
    required("raised_at", Instant),
    # stored and recounted at this position of the log
    required("position", BigInteger),
    required("part", JSONB),
    required("sums_differing", BigInteger),
    required("dossiers_differing", BigInteger),
    Column("repaired_at", Instant),
    Column("repaired_position", BigInteger),
    Column("acknowledged_at", Instant),
    Column("acknowledged_by", Text),
    Column("note", Text),
    PrimaryKeyConstraint("tenant", "alarm_id"),
    Index("ix_audit_alarm_tenant_raised_at", "tenant", "raised_at", "alarm_id"),
)

audit_finding = Table(
    "audit_finding",
    metadata,
    tenant_column(),
    required("alarm_id", Text),
    required("ordinal", Integer),
    # sum | dossier
    required("kind", Text),
    # the key of the sum, or the code of the dossier
    required("subject", JSONB),
    # the measures or columns that differ; null: there is no such row
    Column("stored", JSONB),
    Column("recounted", JSONB),
    # the dossiers behind it: the first of so many
    required("dossiers", ARRAY(Text)),
    required("dossiers_total", BigInteger),
    PrimaryKeyConstraint("tenant", "alarm_id", "ordinal"),
)
