"""speed: what reads and the projection need to stay flat as a province grows"""

revision = "b3f1c6a8d204"
down_revision = "a41e5d90c7b3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
