"""figure numbers: sums by numbers instead of codes, one number for cut and span of days, and sums of whole branches

What is stored is carried over, so that figures are exact from the first moment; a rebuild would find nothing to correct.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "d4a90c3b7e15"
down_revision = "c7d2e9b41f60"
branch_labels = None
depends_on = None

_MEASURES = (
    "received",
    "resolved_early",
    "resolved_on_time",
    "resolved_late",
    "withdrawn",
    "stopped",
    "within",
    "overdue",
    "paused",
)
_NAMES = ", ".join(_MEASURES)
_SUMS = ", ".join(f"sum({measure})" for measure in _MEASURES)
_ANY = " OR ".join(f"{measure} <> 0" for measure in _MEASURES)
_AGENCY, _PROCEDURE, _CELL, _BRANCH, _BRANCH_CELL = (cut * 100_000_000 for cut in range(1, 6))

_CODES = """
WITH agencies AS (
    SELECT tenant, agency AS code, string_to_array(agency, '.') AS parts
    FROM (SELECT DISTINCT tenant, agency FROM figure_text WHERE agency <> '') known
), named AS (
    SELECT tenant, 'agency' AS kind, code FROM agencies
    UNION
    SELECT tenant, 'branch', (SELECT string_agg(part, '.' ORDER BY place) FROM unnest(parts) WITH ORDINALITY p(part, place)
                              WHERE place <= n)
    FROM agencies CROSS JOIN LATERAL generate_series(2, cardinality(parts) - 1) AS n
    UNION
    SELECT DISTINCT tenant, 'procedure', procedure FROM figure_text WHERE procedure <> ''
)
INSERT INTO figure_code (tenant, kind, code, number)
SELECT tenant, kind, code, row_number() OVER (PARTITION BY tenant ORDER BY kind, code) FROM named"""

_BRANCHES = """
UPDATE figure_code AS agency SET branches = ARRAY(
    SELECT branch.number FROM figure_code AS branch
    WHERE branch.tenant = agency.tenant AND branch.kind = 'branch' AND starts_with(agency.code, branch.code || '.')
    ORDER BY length(branch.code)
)
WHERE agency.kind = 'agency'"""

_EXACT = f"""
INSERT INTO figure_sum (tenant, slot, agency, procedure, channel, {_NAMES})
SELECT f.tenant,
       CASE f.cut WHEN 'agency' THEN {_AGENCY} WHEN 'procedure' THEN {_PROCEDURE} ELSE {_CELL} END
       + to_char(f.starts_on, CASE f.grain WHEN 'year' THEN 'YYYY"0000"' WHEN 'month' THEN 'YYYYMM"00"'
                              ELSE 'YYYYMMDD' END)::int,
       coalesce(a.number, 0), coalesce(p.number, 0), f.channel, {_NAMES}
FROM figure_text f
LEFT JOIN figure_code a ON a.tenant = f.tenant AND a.kind = 'agency' AND a.code = f.agency
LEFT JOIN figure_code p ON p.tenant = f.tenant AND p.kind = 'procedure' AND p.code = f.procedure
WHERE NOT (f.cut = 'agency' AND f.grain = 'day') AND ({_ANY})
ORDER BY 1, 2, 3, 4, 5"""

_OF_BRANCHES = f"""
WITH chain AS (
    SELECT DISTINCT tenant, agency, 0 AS branch FROM figure_sum
    UNION ALL
    SELECT k.tenant, k.number, b.branch FROM figure_code k CROSS JOIN LATERAL unnest(k.branches) AS b(branch)
    WHERE k.kind = 'agency'
)
INSERT INTO figure_sum (tenant, slot, agency, procedure, channel, {_NAMES})
SELECT tenant, slot, agency, procedure, channel, {_NAMES} FROM (
    SELECT f.tenant,
           f.slot + CASE WHEN f.slot < {_PROCEDURE} THEN {_BRANCH - _AGENCY}
                         WHEN f.slot % 100 <> 0 THEN {_BRANCH - _CELL} ELSE {_BRANCH_CELL - _CELL} END AS slot,
           c.branch AS agency, CASE WHEN f.slot % 100 <> 0 THEN 0 ELSE f.procedure END AS procedure, f.channel,
           {", ".join(f"sum({measure}) AS {measure}" for measure in _MEASURES)}
    FROM figure_sum f JOIN chain c USING (tenant, agency)
    WHERE (f.slot < {_PROCEDURE} OR f.slot >= {_CELL})
      AND (c.branch <> 0 OR f.slot < {_PROCEDURE} OR f.slot % 100 <> 0)
    GROUP BY 1, 2, 3, 4, 5
) added WHERE {_ANY}"""

_TEXT = f"""
INSERT INTO figure_sum (tenant, cut, grain, starts_on, agency, procedure, channel, {_NAMES})
SELECT f.tenant, cut.name, CASE WHEN f.slot % 10000 = 0 THEN 'year' WHEN f.slot % 100 = 0 THEN 'month' ELSE 'day' END,
       make_date(f.slot / 10000 % 10000, greatest(f.slot / 100 % 100, 1), greatest(f.slot % 100, 1)),
       CASE cut.name WHEN 'procedure' THEN '' ELSE coalesce(a.code, '') END,
       CASE cut.name WHEN 'agency' THEN '' ELSE coalesce(p.code, '') END, f.channel, {_SUMS}
FROM figure_number f
LEFT JOIN figure_code a ON a.tenant = f.tenant AND a.number = f.agency
LEFT JOIN figure_code p ON p.tenant = f.tenant AND p.number = f.procedure
CROSS JOIN LATERAL (
    SELECT CASE WHEN f.slot < {_PROCEDURE} THEN 'agency' WHEN f.slot < {_CELL} THEN 'procedure' ELSE 'cell' END
    -- by agency on a day stands in the cells of that day only
    UNION ALL SELECT 'agency' WHERE f.slot >= {_CELL} AND f.slot % 100 <> 0
) AS cut(name)
WHERE f.slot < {_BRANCH}
GROUP BY 1, 2, 3, 4, 5, 6, 7"""


def _key(*columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("tenant", *columns, name=op.f("pk_figure_sum"))


def _out_of_the_way(name: str) -> None:
    op.rename_table("figure_sum", name)
    op.execute(f"ALTER TABLE {name} RENAME CONSTRAINT pk_figure_sum TO pk_{name}")


def upgrade() -> None:
    op.create_table(
        "figure_code",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("branches", postgresql.ARRAY(sa.Integer()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "code", name=op.f("pk_figure_code")),
    )
    op.create_index("ix_figure_code_number", "figure_code", ["tenant", "number"], unique=True)
    _out_of_the_way("figure_text")
    op.create_table(
        "figure_sum",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("agency", sa.Integer(), nullable=False),
        sa.Column("procedure", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        *(sa.Column(measure, sa.BigInteger(), server_default="0", nullable=False) for measure in _MEASURES),
        _key("slot", "agency", "procedure", "channel"),
        postgresql_with={"fillfactor": "70"},
    )
    for statement in (_CODES, _BRANCHES, _EXACT, _OF_BRANCHES):
        op.execute(statement)
    op.drop_table("figure_text")


def downgrade() -> None:
    _out_of_the_way("figure_number")
    op.create_table(
        "figure_sum",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("cut", sa.Text(), nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("agency", sa.Text(), nullable=False),
        sa.Column("procedure", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        *(sa.Column(measure, sa.BigInteger(), server_default="0", nullable=False) for measure in _MEASURES),
        _key("cut", "grain", "starts_on", "agency", "procedure", "channel"),
        postgresql_with={"fillfactor": "70"},
    )
    op.execute(_TEXT)
    op.drop_table("figure_number")
    op.drop_table("figure_code")
