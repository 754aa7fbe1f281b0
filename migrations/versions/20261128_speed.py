"""speed: what reads and the projection need to stay flat as a province grows"""

import sqlalchemy as sa
from alembic import op

revision = "b3f1c6a8d204"
down_revision = "a41e5d90c7b3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_sync_attempt_failed", table_name="sync_attempt", postgresql_where=sa.text("outcome <> 'accepted'"))
    op.create_index(
        "ix_sync_attempt_forgettable",
        "sync_attempt",
        ["tenant", "ended_at"],
        postgresql_where=sa.text("outcome <> 'accepted' OR step = 'progress'"),
    )


def downgrade() -> None:
    op.drop_index("ix_sync_attempt_forgettable", table_name="sync_attempt")
    op.create_index(
        "ix_sync_attempt_failed", "sync_attempt", ["tenant", "ended_at"], postgresql_where=sa.text("outcome <> 'accepted'")
    )
