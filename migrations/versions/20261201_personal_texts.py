"""personal texts: one more column of the table of personal data, for the fields of events that are no applicant's"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "f0a46b8c21d7"
down_revision = "c3f71e9a40d8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("applicant", sa.Column("texts", postgresql.JSONB(astext_type=sa.Text()), nullable=True))


def downgrade() -> None:
    op.drop_column("applicant", "texts")
