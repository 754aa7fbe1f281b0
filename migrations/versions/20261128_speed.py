"""speed: what reads and the projection need to stay flat as a province grows"""

import sqlalchemy as sa
from alembic import op

revision = "b3f1c6a8d204"
down_revision = "a41e5d90c7b3"
branch_labels = None
depends_on = None


_ORDERS = {
    "ix_dossier_tenant_received_at": (["tenant", "received_at", "code"], ["due_at", "agency"]),
    "ix_dossier_tenant_due_at": (["tenant", "due_at", "code"], ["received_at", "agency"]),
    "ix_dossier_tenant_procedure": (["tenant", "procedure", "received_at", "code"], ["agency"]),
    "ix_dossier_tenant_status": (["tenant", "status", "received_at", "code"], ["agency"]),
}


def upgrade() -> None:
    for name, (columns, narrowed_by) in _ORDERS.items():
        op.drop_index(name, table_name="dossier")
        op.create_index(name, "dossier", [*columns, *narrowed_by])
    op.create_index(
        "ix_dossier_due_before_received",
        "dossier",
        ["tenant", "received_at", "code"],
        postgresql_where=sa.text("due_at < received_at"),
    )
    op.drop_index("ix_dossier_anomalies", table_name="dossier", postgresql_using="gin")
    op.create_index(
        "ix_dossier_anomalies",
        "dossier",
        ["anomalies"],
        postgresql_using="gin",
        postgresql_where=sa.text("anomalies <> '{}'"),
    )
    op.drop_index("ix_sync_attempt_failed", table_name="sync_attempt", postgresql_where=sa.text("outcome <> 'accepted'"))
    op.create_index(
        "ix_sync_attempt_forgettable",
        "sync_attempt",
        ["tenant", "ended_at"],
        postgresql_where=sa.text("outcome <> 'accepted' OR step = 'progress'"),
    )


def downgrade() -> None:
    op.drop_index("ix_dossier_anomalies", table_name="dossier", postgresql_using="gin")
    op.create_index("ix_dossier_anomalies", "dossier", ["anomalies"], postgresql_using="gin")
    op.drop_index("ix_dossier_due_before_received", table_name="dossier")
    for name, (columns, _) in _ORDERS.items():
        op.drop_index(name, table_name="dossier")
        op.create_index(name, "dossier", columns)
    op.drop_index("ix_sync_attempt_forgettable", table_name="sync_attempt")
    op.create_index(
        "ix_sync_attempt_failed", "sync_attempt", ["tenant", "ended_at"], postgresql_where=sa.text("outcome <> 'accepted'")
    )
