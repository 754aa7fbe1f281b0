"""audits"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "6c2a7f0e91d4"
down_revision = "7c40a9d2e6b1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("audit_id", sa.Text(), nullable=False),
        sa.Column("night", sa.Date(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("parts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("parts_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("from_on", sa.Date(), nullable=True),
        sa.Column("to_on", sa.Date(), nullable=True),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sums_compared", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dossiers_compared", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sums_differing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dossiers_differing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "audit_id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_tenant_planned_at", "audit", ["tenant", "planned_at", "audit_id"], unique=False)
    op.create_table(
        "audit_alarm",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("audit_id", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("part", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sums_differing", sa.BigInteger(), nullable=False),
        sa.Column("dossiers_differing", sa.BigInteger(), nullable=False),
        sa.Column("repaired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("repaired_position", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "alarm_id", name=op.f("pk_audit_alarm")),
    )
    op.create_index("ix_audit_alarm_tenant_raised_at", "audit_alarm", ["tenant", "raised_at", "alarm_id"], unique=False)
    op.create_table(
        "audit_finding",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("alarm_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("stored", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("recounted", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("dossiers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("dossiers_total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "alarm_id", "ordinal", name=op.f("pk_audit_finding")),
    )


def downgrade() -> None:
    op.drop_table("audit_finding")
    op.drop_index("ix_audit_alarm_tenant_raised_at", table_name="audit_alarm")
    op.drop_table("audit_alarm")
    op.drop_index("ix_audit_tenant_planned_at", table_name="audit")
    op.drop_table("audit")
