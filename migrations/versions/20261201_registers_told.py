"""The events of further registers by register, for whoever asks whether one has new ones."""

import sqlalchemy as sa
from alembic import op

revision = "5c0e94b7d2a1"
down_revision = "8d5e1f7a30c2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_event_log_registers",
        "event_log",
        ["tenant", sa.text("split_part(name, '.', 1)"), "position"],
        unique=False,
        postgresql_where=sa.text("name LIKE '%.%'"),
    )


def downgrade() -> None:
    op.drop_index("ix_event_log_registers", table_name="event_log")
