"""lists: where a dossier's code or dates lie far apart from each other, so that lists need not walk past the others"""

import sqlalchemy as sa
from alembic import op

revision = "c7d2e9b41f60"
down_revision = "b3f1c6a8d204"
branch_labels = None
depends_on = None

_DIGITS = "split_part(code, '-', 2)"
_CODE_DAY = (
    f"CASE WHEN translate({_DIGITS}, '0123456789', '') <> '' THEN NULL"
    f" WHEN length({_DIGITS}) = 6 THEN ('20' || {_DIGITS})::int WHEN {_DIGITS} LIKE '20______' THEN {_DIGITS}::int END"
)
_RECEIVED = "(received_at AT TIME ZONE interval '7 hours')"
_BEFORE = f"({_RECEIVED} - interval '31 days')"
_OF_ANOTHER_TIME = (
    f"coalesce(NOT ({_CODE_DAY}) <@ int4range("
    f"(extract(year FROM {_BEFORE})::int * 10000 + extract(month FROM {_BEFORE})::int * 100),"
    f" (extract(year FROM {_RECEIVED})::int * 10000 + extract(month FROM {_RECEIVED})::int * 100) + 100), true)"
)


def upgrade() -> None:
    op.create_index(
        "ix_dossier_due_long_after",
        "dossier",
        ["tenant", "due_at", "code"],
        postgresql_where=sa.text("due_at - received_at >= interval '1440 hours'"),
    )
    op.create_index(
        "ix_dossier_code_of_another_time",
        "dossier",
        ["tenant", "received_at", "code"],
        postgresql_where=sa.text(_OF_ANOTHER_TIME),
    )


def downgrade() -> None:
    op.drop_index("ix_dossier_code_of_another_time", table_name="dossier")
    op.drop_index("ix_dossier_due_long_after", table_name="dossier")
