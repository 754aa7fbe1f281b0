"""Statements of payment gateways as they were classed, and who has closed which difference."""

from sqlalchemy import ARRAY, BigInteger, Column, Date, Integer, LargeBinary, Numeric, PrimaryKeyConstraint, Table, Text

from shared.database.tables.columns import Instant, metadata, required, tenant_column

payment_statement = Table(
    "payment_statement",
    metadata,
    tenant_column(),
    required("gateway", Text),
    required("day", Date),
    required("loaded_at", Instant),
    required("loaded_by", Text),
    # of the log, that the classes stand for
    required("position", BigInteger),
    required("lines", Integer),
    # the classes with their lines, JSON as it was answered, deflated (zlib): rows would cost more than loading the file
    required("classes", LargeBinary),
    # the rest of the answer: totals and checks
    required("totals", LargeBinary),
    # differences that a person closes: a class and a reference each
    required("differences", Integer),
    # the references that the gateway is asked about
    required("asked", ARRAY(Text)),
    # since when open differences are older than they may be
    Column("alarmed_at", Instant),
    PrimaryKeyConstraint("tenant", "gateway", "day"),
)

payment_closing = Table(
    "payment_closing",
    metadata,
    tenant_column(),
    required("gateway", Text),
    required("day", Date),
    required("class", Text),
    required("reference", Text),
    # a statement that is loaded again with other amounts opens the difference again; beyond 64 bits in the worst case
    required("statement_vnd", Numeric),
    required("ours_vnd", Numeric),
    required("closed_at", Instant),
    required("closed_by", Text),
    required("note", Text),
    PrimaryKeyConstraint("tenant", "gateway", "day", "class", "reference"),
)
