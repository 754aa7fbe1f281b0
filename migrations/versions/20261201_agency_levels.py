"""agency levels: one more column of agencies; what was told stays without one"""

import sqlalchemy as sa
from alembic import op

revision = "c3f81a6d25b9"
down_revision = "c3f71e9a40d8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("agency", sa.Column("level", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("agency", "level")
