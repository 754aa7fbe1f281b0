"""office weeks: several entries of office hours an agency, by weekday and period; what was told stays as it is"""

import sqlalchemy as sa
from alembic import op

revision = "b7e2d41f9a36"
down_revision = "e5b7c0d3f218"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("office_hours", sa.Column("ordinal", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("office_hours", sa.Column("valid_from", sa.Date(), nullable=True))
    op.add_column("office_hours", sa.Column("valid_to", sa.Date(), nullable=True))
    op.drop_constraint("pk_office_hours", "office_hours", type_="primary")
    op.create_primary_key("pk_office_hours", "office_hours", ["tenant", "agency", "known_from", "ordinal"])


def downgrade() -> None:
    op.execute("DELETE FROM office_hours WHERE ordinal > 0")
    op.drop_constraint("pk_office_hours", "office_hours", type_="primary")
    op.create_primary_key("pk_office_hours", "office_hours", ["tenant", "agency", "known_from"])
    for column in ("valid_to", "valid_from", "ordinal"):
        op.drop_column("office_hours", column)
