"""log identity: each log has an id that the feed names, and knows up to where the clock went by former rules"""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "e5b7c0d3f218"
down_revision = "a91c5d20e7f4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # everything recorded by now was decided by the former rules, or might have been
    op.add_column("log_counter", sa.Column("former_up_to", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE log_counter SET former_up_to = position")
    # given one by one: a default that is made anew for each row is no part of ADD COLUMN where tables are distributed
    op.add_column("log_counter", sa.Column("log_id", sa.Uuid(), nullable=True))
    connection = op.get_bind()
    give = sa.text("UPDATE log_counter SET log_id = :log_id WHERE tenant = :tenant")
    for tenant in connection.scalars(sa.text("SELECT tenant FROM log_counter")).all():
        connection.execute(give, {"log_id": uuid.uuid4(), "tenant": tenant})
    op.alter_column("log_counter", "log_id", nullable=False, server_default=sa.text("gen_random_uuid()"))


def downgrade() -> None:
    op.drop_column("log_counter", "log_id")
    op.drop_column("log_counter", "former_up_to")
