"""given figures that are withdrawn"""

import sqlalchemy as sa
from alembic import op

revision = "a41e5d90c7b3"
down_revision = "6c2a7f0e91d4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("index_input", sa.Column("withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("index_input", "withdrawn")
