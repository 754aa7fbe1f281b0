"""reception anywhere: when the competent agency took a dossier over; no row is written anew"""

import sqlalchemy as sa
from alembic import op

revision = "7d4b19e6c0f3"
down_revision = "91b3d7f0c2e8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dossier", sa.Column("taken_over_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("dossier", "taken_over_at")
