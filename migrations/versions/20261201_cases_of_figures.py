"""indexes of records by what they say of others; when the portal began or ceased to hold a dossier; changes nothing"""

import sqlalchemy as sa
from alembic import op

revision = "91b3d7f0c2e8"
down_revision = "5c0e94b7d2a1"
branch_labels = None
depends_on = None

_FACTS = {"survey": "dossier_code", "feedback": "repeats"}


def upgrade() -> None:
    for register, fact in _FACTS.items():
        op.create_index(
            f"ix_record_{register}_{fact}",
            "record",
            [sa.text(f"(facts ->> '{fact}')"), sa.text("tenant")],
            unique=False,
            postgresql_where=sa.text(f"register = '{register}' AND (facts ->> '{fact}') IS NOT NULL"),
        )

    op.add_column("sync_ledger", sa.Column("held_change", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(
        "ix_sync_ledger_held_change",
        "sync_ledger",
        ["tenant", "held_change"],
        unique=False,
        postgresql_where=sa.text("held_change > 0"),
    )


def downgrade() -> None:
    op.drop_index("ix_sync_ledger_held_change", table_name="sync_ledger")
    op.drop_column("sync_ledger", "held_change")
    for register, fact in _FACTS.items():
        op.drop_index(f"ix_record_{register}_{fact}", table_name="record")
