"""Lists of dossiers as they stood at a position of the log: exactly those, as they stood then."""

from collections.abc import Sequence

from shared.as_of.store.dossiers import PointInTime, at_position
from shared.as_of.store.rows import BY_OTHERS
from shared.database.engine import DriverConnection
from shared.search.store import pages
from shared.search.store.filters import Selection
from shared.search.store.pages import ListedDossier, PageKey, Sort
from shared.vocabulary.events import DossierCode


async def page(
    connection: DriverConnection,
    past: PointInTime,
    selection: Selection,
    *,
    sort: Sort,
    after: PageKey | None,
    limit: int,
) -> tuple[list[ListedDossier], PageKey | None]:
    """A page of a selection over the rows of ``past``, as `shared.search.store.pages.page`."""
    listed, mark = await pages.page(connection, selection, sort, after, limit)
    return await _with_anomalies_then(connection, past, listed), mark


async def _with_anomalies_then(
    connection: DriverConnection, past: PointInTime, listed: Sequence[ListedDossier]
) -> list[ListedDossier]:
    """The same, with the anomalies of a stored dossier that events of other dossiers have changed since."""
    changed = [DossierCode(one.code) for one in listed if BY_OTHERS & set(one.anomalies) and one.code not in past.dossiers]
    then = await at_position(connection, past.tenant, changed, past.prefix.position, past.pace) if changed else {}
    found: list[ListedDossier] = []
    for one in listed:
        dossier = then.get(DossierCode(one.code))
        anomalies_then = None if dossier is None else dossier.row.anomalies
        found.append(
            one if anomalies_then is None else one._replace(anomalies=anomalies_then.split(",") if anomalies_then else [])
        )
    return found
