"""How long the portal is behind, by agency: the three times of each progress step summed."""

from urllib.parse import urlencode

from services.api.figures.schemas import PeriodOut
from services.api.http.access.keyring import Caller
from services.api.http.access.visibility import list_access_of
from services.api.http.context import Context
from services.api.sync.lag_schemas import LagAnswer, LagRow, Sums
from services.api.sync.parameters import LagQuestion
from shared.access.store.visibility import Access, any_of
from shared.figures.store.agency_rows import AgencyRows
from shared.sync.store import step_times
from shared.sync.store.step_times import Span
from shared.vocabulary.events import AgencyCode
from shared.vocabulary.local_time import end_of_day, start_of_day
from shared.vocabulary.periods import Period


def span_of(context: Context, access: Access, period: Period, agency: AgencyCode | None) -> Span:
    """The instants of a period until now, and the agencies asked about."""
    codes = any_of(access.codes_within(agency))
    before = min(end_of_day(period.to_on), context.catalogues.now())
    return Span(access.tenant, start_of_day(period.from_on), before, codes)


async def read_lag(context: Context, caller: Caller, asked: LagQuestion) -> LagAnswer:
    """The lag of the sync and the dossiers that the portal showed late, in one snapshot."""
    access = await list_access_of(context, caller, is_limited=asked.agency is not None)
    agency, period = access.scope(asked.agency), asked.read(access)
    span = span_of(context, access, period, agency)
    async with (
        context.heavy.session(caller) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        times = await step_times.step_times(connection, span)
        waiting = await step_times.waiting(connection, span)
        late = await step_times.late(connection, span)
    rows = AgencyRows.of(access, agency, access.today)
    sums = {key: Sums() for key in rows.keys}
    total = Sums()
    for code, of_steps in times.items():
        for one in (sums[rows.key(code)], total):
            one.times.add(of_steps)
    for code, of_dossiers in waiting.items():
        for one in (sums[rows.key(code)], total):
            one.waiting.add(of_dossiers)
    for code, causes in late.items():
        for one in (sums[rows.key(code)], total):
            one.add_late(causes)
    concerned = {rows.key(code) for code in (*times, *waiting, *late)} | set(rows.children)

    def link(agency: str) -> str:
        asked_with = urlencode({"agency": agency, "from": period.from_on, "to": period.to_on})
        return f"/v1/sync/lag/dossiers?{asked_with}&cause={{cause}}"

    return LagAnswer(
        period=PeriodOut.of(period),
        agency=rows.top,
        rows=[
            LagRow(
                key=key,
                name=rows.name(key),
                **dict(sums[key].answer()),
                late_dossiers=link(key) if key in rows.children else None,
            )
            for key in rows.keys
            if key in concerned
        ],
        total=total.answer(),
        late_dossiers=link(rows.top),
    )
