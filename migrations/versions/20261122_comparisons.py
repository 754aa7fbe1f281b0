"""What comparisons with the portal found, alarms that are raised, and acknowledgements before a replay"""

import sqlalchemy as sa
from alembic import op

revision = "7c40a9d2e6b1"
down_revision = "1b5fd623ef1e"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sync_difference",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("dossier_code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reopened", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job_id", "dossier_code", "kind", name=op.f("pk_sync_difference")),
    )
    op.create_index("ix_sync_difference_found", "sync_difference", ["tenant", "found_at"])
    op.create_table(
        "sync_alarm",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("alarm", sa.Text(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "alarm", name=op.f("pk_sync_alarm")),
    )
    op.add_column("sync_step", sa.Column("acknowledged_before_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_step", "acknowledged_before_at")
    op.drop_table("sync_alarm")
    op.drop_table("sync_difference")
