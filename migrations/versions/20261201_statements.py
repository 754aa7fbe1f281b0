"""statements of payment gateways and what people closed of them; an index for the payments of a day

Adds tables and an index and changes none.
"""

import sqlalchemy as sa
from alembic import op

revision = "f4d82b6c1a97"
down_revision = "c3f71e9a40d8"
branch_labels = None
depends_on = None


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
    # compressing a day's lines takes longer than writing them
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
    op.create_index(
        "ix_record_payment",
        "record",
        ["tenant", sa.text("(facts ->> 'gateway')"), sa.text("(facts ->> 'paid_on')")],
        unique=False,
        postgresql_where=sa.text("register = 'payment'"),
    )


def downgrade() -> None:
    op.drop_index("ix_record_payment", table_name="record", postgresql_where=sa.text("register = 'payment'"))
    op.drop_table("payment_closing")
    op.drop_table("payment_statement")
