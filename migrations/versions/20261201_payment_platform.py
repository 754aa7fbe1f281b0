"""payment platform: what it is asked about, its circuit, and an index of pending payments; adds tables and changes none"""

import sqlalchemy as sa
from alembic import op

revision = "f0a4c81d9b27"
down_revision = "f4d82b6c1a97"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payment_inquiry",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("initiated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("answers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "reference", name=op.f("pk_payment_inquiry")),
    )
    op.create_index("ix_payment_inquiry_due", "payment_inquiry", ["tenant", "due_at"])
    op.create_table(
        "payment_circuit",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("gateway", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="closed", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("openings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retry_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ramp_share", sa.Float(), server_default="1", nullable=False),
        sa.Column("ramp_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "gateway", name=op.f("pk_payment_circuit")),
    )
    op.create_index(
        "ix_record_pending_payment",
        "record",
        ["tenant", sa.text("(facts ->> 'initiated_at')")],
        postgresql_where=sa.text("register = 'payment' AND facts ->> 'state' = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("ix_record_pending_payment", "record")
    op.drop_table("payment_circuit")
    op.drop_table("payment_inquiry")
