"""erasures: which applicants were forgotten and which texts of events taken out; adds tables and changes none"""

import sqlalchemy as sa
from alembic import op

revision = "c3f71e9a40d8"
down_revision = "e2b7404c19d6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "applicant_erasure",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("erasure_id", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("dossier_code", sa.Text(), nullable=False),
        sa.Column("eraser", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "erasure_id", name=op.f("pk_applicant_erasure")),
    )
    op.create_index(
        op.f("ix_applicant_erasure_tenant_dossier_code"), "applicant_erasure", ["tenant", "dossier_code"], unique=False
    )
    op.create_table(
        "event_redaction",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("redaction_id", sa.Text(), nullable=False),
        sa.Column("redacted_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("fields", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("redactor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "redaction_id", name=op.f("pk_event_redaction")),
    )
    op.create_index(op.f("ix_event_redaction_tenant_position"), "event_redaction", ["tenant", "position"], unique=False)


def downgrade() -> None:
    op.drop_table("event_redaction")
    op.drop_table("applicant_erasure")
