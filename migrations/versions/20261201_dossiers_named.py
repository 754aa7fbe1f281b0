"""an index for the records of other registers that name a dossier"""

import sqlalchemy as sa
from alembic import op

revision = "b7e20a4f6d13"
down_revision = ("f0a46b8c21d7", "c3f81a6d25b9")
branch_labels = None
depends_on = None

_NAMED = "coalesce(data ->> 'dossier_code', data ->> 'about_dossier')"


def upgrade() -> None:
    op.create_index(
        "ix_event_log_about",
        "event_log",
        ["tenant", sa.text(_NAMED)],
        unique=False,
        postgresql_where=sa.text(f"name LIKE '%.%' AND {_NAMED} IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_event_log_about", table_name="event_log")
