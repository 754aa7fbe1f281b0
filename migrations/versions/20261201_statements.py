"""statements of payment gateways and what people closed of them; indexes of payments

Adds tables and indexes and changes none.
"""

import sqlalchemy as sa
from alembic import op

revision = "f4d82b6c1a97"
down_revision = "b7e20a4f6d13"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_record_payment_paid": ("gateway", "paid_on"),
    "ix_record_payment_obligation": ("obligation",),
    "ix_record_payment_dossier": ("dossier_code",),
}


def upgrade() -> None:
    op.create_table(
        "payment_statement",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loaded_by", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("classes", sa.LargeBinary(), nullable=False),
        sa.Column("totals", sa.LargeBinary(), nullable=False),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.Column("asked", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("alarmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "gateway", "day", name=op.f("pk_payment_statement")),
    )
    # it is deflated already
    op.execute("ALTER TABLE payment_statement ALTER COLUMN classes SET STORAGE EXTERNAL")
    op.create_table(
        "payment_closing",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("statement_vnd", sa.Numeric(), nullable=False),
        sa.Column("ours_vnd", sa.Numeric(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "gateway", "day", "class", "reference", name=op.f("pk_payment_closing")),
    )
    of_payments = sa.text("register = 'payment'")
    for name, facts in _INDEXES.items():
        of_facts = [sa.text(f"(facts ->> '{fact}')") for fact in facts]
        # the tenant last: beside the primary key such an index is then never taken for a record by its code
        op.create_index(name, "record", [*of_facts, sa.text("tenant")], postgresql_where=of_payments)
    op.create_index(
        "ix_record_payment_receipts",
        "record",
        [sa.literal_column("(facts -> 'receipts')").label("receipts")],
        postgresql_using="gin",
        postgresql_ops={"receipts": "jsonb_path_ops"},
        postgresql_where=of_payments,
    )


def downgrade() -> None:
    for name in (*_INDEXES, "ix_record_payment_receipts"):
        op.drop_index(name, table_name="record")
    op.drop_table("payment_closing")
    op.drop_table("payment_statement")
