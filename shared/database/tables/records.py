"""Records and figures of every register but the dossiers': derived from the log, can be recomputed at any time."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.columns import Instant, metadata, required, tenant_column

record = Table(
    "record",
    metadata,
    tenant_column(),
    required("register", Text),
    required("code", Text),
    # last log position that this row has seen of its record
    required("position", BigInteger),
    Column("agency", Text),
    required("facts", JSONB, server_default="{}"),
    # what it counts for: [figure, local date, amount] each, added up
    required("counts", JSONB, server_default="[]"),
    required("anomalies", ARRAY(Text), server_default="{}"),
    PrimaryKeyConstraint("tenant", "register", "code"),
    # payments that are asked about (`shared.payment_platform.store.inquiries`)
    Index(
        "ix_record_pending_payment",
        "tenant",
        text("(facts ->> 'initiated_at')"),
        postgresql_where=text("register = 'payment' AND facts ->> 'state' = 'pending'"),
    ),
    # the sheets about a dossier, and the feedback that repeats another (`shared.register_figures.store.cases`)
    *(
        Index(
            f"ix_record_{register}_{fact}",
            text(f"(facts ->> '{fact}')"),
            "tenant",
            postgresql_where=text(f"register = '{register}' AND (facts ->> '{fact}') IS NOT NULL"),
        )
        for register, fact in (("survey", "dossier_code"), ("feedback", "repeats"))
    ),
    # of payments: what a gateway's statement of a day asks for, the attempts of one obligation and of one dossier, and the
    # payments that have a receipt's number; the tenant last: else, without statistics, such an index is taken for a record
    # by its code, and every payment of the tenant is read
    *(
        Index(
            f"ix_record_payment_{name}",
            *(text(f"(facts ->> '{fact}')") for fact in facts),
            "tenant",
            postgresql_where=text("register = 'payment'"),
        )
        for name, facts in {
            "paid": ("gateway", "paid_on"),
            "obligation": ("obligation",),
            "dossier": ("dossier_code",),
        }.items()
    ),
    Index(
        "ix_record_payment_receipts",
        literal_column("(facts -> 'receipts')").label("receipts"),
        postgresql_using="gin",
        postgresql_ops={"receipts": "jsonb_path_ops"},
        postgresql_where=text("register = 'payment'"),
    ),
)

record_sum = Table(
    "record_sum",
    metadata,
    tenant_column(),
    required("register", Text),
    required("figure", Text),
    # "": of records without an agency
    required("agency", Text),
    required("day", Date),
    required("amount", BigInteger, server_default="0"),
    PrimaryKeyConstraint("tenant", "register", "figure", "agency", "day"),
)

record_failure = Table(
    "record_failure",
    metadata,
    tenant_column(),
    required("register", Text),
    required("code", Text),
    required("position", BigInteger),
    required("reason", Text),
    required("attempts", Integer),
    required("failed_at", Instant),
    # null: no further try by itself, only with its next event
    Column("next_try_at", Instant),
    PrimaryKeyConstraint("tenant", "register", "code"),
)
