"""published tables as they were given

Adds a table and changes none.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "8d5e1f7a30c2"
down_revision = "f0a4c81d9b27"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "given_table",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("to_on", sa.Date(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("figures", JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", "known_from", name=op.f("pk_given_table")),
    )


def downgrade() -> None:
    op.drop_table("given_table")
