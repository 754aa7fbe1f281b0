"""What may go wrong with the rows of a register, as statements; and what of it is to be found."""

from __future__ import annotations

from typing import Final

BOGUS: Final = "BOGUS-1"

MISTAKES: Final[dict[str, str]] = {
    "a record of nothing": f"INSERT INTO record (tenant, register, code, position) VALUES ($1, $2, '{BOGUS}', 1)",
    "a record lost": "DELETE FROM record WHERE tenant = $1 AND register = $2 AND code = (SELECT min(code) FROM record"
    " WHERE tenant = $1 AND register = $2 AND code <> 'BOGUS-1')",
    "a fact changed": "UPDATE record SET facts = facts || '{\"made_up\": 1}' WHERE tenant = $1 AND register = $2"
    " AND code = (SELECT max(code) FROM record WHERE tenant = $1 AND register = $2 AND code <> 'BOGUS-1')",
    "a sum of nothing": "INSERT INTO record_sum (tenant, register, figure, agency, day, amount)"
    " VALUES ($1, $2, 'made_up', 'H51.12', '2025-01-01', 5)",
}
"""By what it is; ``$1`` the tenant, ``$2`` the register. Done in this order they are of three records and one sum."""

ROWS: Final = "SELECT code, position, agency, facts::text, counts::text, anomalies FROM record WHERE tenant = $1 AND register = $2 ORDER BY code"
SUMS: Final = "SELECT * FROM record_sum WHERE tenant = $1 AND register = $2"
