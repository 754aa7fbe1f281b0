"""What the payment platform is asked about, and its circuit. Nothing here is the truth: the log has what it answered."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)

from shared.database.tables.columns import Instant, metadata, required, tenant_column

payment_inquiry = Table(
    "payment_inquiry",
    metadata,
    tenant_column(),
    # the attempt
    required("reference", Text),
    # national | local
    required("gateway", Text),
    required("initiated_at", Instant),
    # not asked any more after this
    required("until", Instant),
    # when it is asked next; a claim moves it on, so that what a dead worker had is asked again
    required("due_at", Instant),
    # a statement says that it succeeded: asked whatever we know of it
    required("requested", Boolean, server_default=text("false")),
    # answers so far, events that came of them, and the state that the last one told
    required("answers", Integer, server_default="0"),
    required("told", Integer, server_default="0"),
    Column("state", SmallInteger),
    # calls in a row without an answer, and why the last one had none
    required("failures", Integer, server_default="0"),
    Column("error", Text),
    PrimaryKeyConstraint("tenant", "reference"),
    Index("ix_payment_inquiry_due", "tenant", "due_at"),
)

payment_circuit = Table(
    "payment_circuit",
    metadata,
    tenant_column(),
    required("gateway", Text),
    # as `portal_circuit`, for each gateway
    required("state", Text, server_default="closed"),
    required("failures", Integer, server_default="0"),
    required("openings", Integer, server_default="0"),
    Column("reason", Text),
    Column("opened_at", Instant),
    Column("retry_at", Instant),
    required("ramp_share", Float, server_default="1"),
    Column("ramp_from", Instant),
    Column("paced_until", Instant),
    required("version", BigInteger, server_default="0"),
    PrimaryKeyConstraint("tenant", "gateway"),
)
