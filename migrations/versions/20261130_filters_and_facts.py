"""filters of frozen reports, facts of agencies and procedures; adds columns and changes none"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "e2b7404c19d6"
down_revision = "b7e2d41f9a36"
branch_labels = None
depends_on = None

_ADDED = (("frozen_report", "filters"), ("agency", "facts"), ("procedure", "facts"))


def upgrade() -> None:
    for table, column in _ADDED:
        op.add_column(table, sa.Column(column, postgresql.JSONB(), server_default="{}", nullable=False))


def downgrade() -> None:
    for table, column in _ADDED:
        op.drop_column(table, column)
