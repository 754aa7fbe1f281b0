"""Loads the second sample into a running motcua, and waits until every register has counted it."""

import httpx
from rich.console import Console

from services.sample.registers.envelopes import YEAR
from services.sample.registers.payments import STATEMENT_GATEWAY, STATEMENT_ON
from services.sample.registers.published import OBSERVATION, given_tables
from services.sample.registers.year import register_year
from services.sample.replay import load, put, summary
from services.sample.table import UnitTable
from shared.registers.figure_sets import FIGURE_SETS


def load_year(client: httpx.Client, table: UnitTable, console: Console) -> None:
    """Catalogues and events, then what stands on them: given tables, a given figure of the index, a statement.

    Raises:
        ReplayError: an answer other than expected.
        httpx.HTTPError: the API cannot be reached.
    """
    year = register_year(table.tenant)

    waited_for = list(FIGURE_SETS)

    def counted(position: int) -> int:
        reached = int(summary(client, table)["as_of"]["position"])
        if reached < position:
            return reached
        while waited_for and _is_counted(client, waited_for[-1], position):
            waited_for.pop()
        return position - len(waited_for)

    load(client, year.catalogues, iter(year.events), total=len(year.events), console=console, counted=counted)
    for name, given in given_tables().items():
        put(client, f"/v1/given/{name}", given)
    put(client, "/v1/indices/766/inputs", [OBSERVATION])
    put(client, f"/v1/payments/statements/{STATEMENT_GATEWAY}/{STATEMENT_ON}", {"lines": year.statement})


def _is_counted(client: httpx.Client, register: str, position: int) -> bool:
    """Whether figures are as new as an event; it is waited for a while."""
    asked = {"period": str(YEAR), "min_position": str(position)}
    return client.get(f"/v1/stats/{register}", params=asked).is_success
