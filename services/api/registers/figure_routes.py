"""Figures of every register: of a scope, cut by something, and what stands behind each of them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, create_model

from services.api.figures.parameters import PLAIN, FilterParameters, Filters
from services.api.http import cursors, sheets
from services.api.http.access.callers import DossierReader, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.formats import Format, described_as
from services.api.http.openapi import error_answers
from services.api.http.parameters import MOST_A_PAGE, OneSpelling, PageCursor
from services.api.http.reads.exports import Export, written
from services.api.http.reads.handover import heavy
from services.api.http.reads.heavy import HeavyReads
from services.api.registers.given_schemas import GivenBesideOut, beside_answer
from services.api.registers.schemas import (
    UNIT_FIELDS,
    UnitList,
    summary_answer,
    summary_model,
    table_answer,
    table_model,
    unit_answer,
)
from services.api.registers.use_cases import asked_of, given_beside
from shared.register_figures.rules.answered import Unit
from shared.register_figures.store.tables import Question, cuts_of
from shared.registers.figure_sets import FIGURE_SETS
from shared.registers.measures import FigureSet

router = APIRouter(tags=["registers"])

DEFAULT_LIMIT: Final = 50
_EXPORTED_AT_ONCE: Final = 1_000


class UnitQuestion(Filters):
    """A figure, and the row of a table where it is meant to be of one; `_named` says which there are."""

    figure: str
    by: str | None = None
    row: Annotated[
        str | None,
        Field(max_length=200, pattern=PLAIN, description="Only this row of the table that `by` names, by its key."),
        OneSpelling,
    ] = None


class PageQuestion(UnitQuestion):
    """Its units, page by page."""

    cursor: PageCursor = None
    limit: Annotated[int, Field(ge=1, le=MOST_A_PAGE, description="Items a page.")] = DEFAULT_LIMIT


async def _units_as_csv(heavy: HeavyReads, units: Sequence[Unit]) -> AsyncGenerator[str, None]:
    for start in range(0, len(units) or 1, _EXPORTED_AT_ONCE):
        rows = (list(unit_answer(unit).values()) for unit in units[start : start + _EXPORTED_AT_ONCE])
        yield await written(heavy, UNIT_FIELDS, rows, is_first=start == 0)


def _named(figures: FigureSet, question: type[UnitQuestion]) -> Any:
    """The parameters of a list with the figures and cuts of this register."""
    known: Any = Literal[(*figures.figures, *figures.parts)]
    cuts: Any = Literal[cuts_of(figures)]
    fields: dict[str, Any] = {
        "figure": (known, Field(description="The figure by its id (chỉ tiêu).", examples=[next(iter(figures.figures))])),
        "by": (cuts | None, Field(None, description="The table that `row` is of.")),
    }
    return create_model(f"{figures.path.title()}{question.__name__}", __base__=question, **fields)


def serve_figures(router: APIRouter, figures: FigureSet) -> None:
    """Add the operations of one register's figures."""
    path, name = f"/v1/stats/{figures.path}", figures.path
    errors = error_answers()
    by_cut: Any = Literal[cuts_of(figures)]

    @router.get(
        path,
        name=f"{name}_figures",
        summary=f"{figures.title}: the figures of a period",
        description=f"""{figures.title} for a period and a scope, by the rules of `docs/registers.md`: figures, named rates
with what they were made of, and the identities that hold between them. What needs a day of a year that nobody has confirmed
is null.""",
        response_model=summary_model(figures, GivenBesideOut),
        responses=errors,
    )
    @heavy
    async def summary(context: RequestContext, caller: StatsCaller, asked: FilterParameters) -> Response:
        async def answer(question: Question) -> dict[str, Any]:
            table = await question.table(None)
            given = await given_beside(context, question, asked)
            beside = [beside_answer(figures, one, table.total) for one in given]
            return summary_answer(question, table) | {"given": beside}

        return json_answer(await asked_of(context, caller, figures, asked, answer))

    @router.get(
        f"{path}/by/{{by}}",
        name=f"{name}_figures_by",
        summary=f"{figures.title}: the figures of a period, cut",
        description=f"""The same figures for each part and for the whole (`total`). What no catalogue knows, or has none,
stands in the row `unknown`: rows add up. Cuts: {", ".join(cuts_of(figures))}.""",
        response_model=table_model(figures),
        responses=errors,
    )
    @heavy
    async def cut(
        context: RequestContext,
        caller: StatsCaller,
        asked: FilterParameters,
        by: Annotated[by_cut, Path(description="What the figures are cut by.", examples=[cuts_of(figures)[0]])],
    ) -> Response:
        async def answer(question: Question) -> dict[str, Any]:
            return table_answer(question, by, await question.table(by))

        return json_answer(await asked_of(context, caller, figures, asked, answer))

    @heavy
    async def records(context: RequestContext, caller: DossierReader, asked: PageQuestion) -> Response:
        kept = asked.model_dump(exclude={"cursor", "limit", "min_position"}, mode="json")
        digest = cursors.digest_of({**kept, "path": f"{path}/records", "tenant": caller.tenant, "root": caller.agency})
        mark = cursors.read(asked.cursor, digest, any_code=True)

        async def answer(question: Question) -> dict[str, Any]:
            after = None if mark is None else mark.code
            found = await question.page(asked.figure, asked.by, asked.row, after=after, limit=asked.limit + 1)
            page, following = cursors.cut(found.units, asked.limit, digest, lambda unit: unit.code)
            return {
                "items": [unit_answer(unit) for unit in page],
                "count": found.count,
                "amount": found.amount,
                "next_cursor": following,
            }

        return json_answer(await asked_of(context, caller, figures, asked, answer))

    @heavy
    async def records_csv(request: Request, context: RequestContext, caller: DossierReader, asked: UnitQuestion) -> Response:
        async def answer(question: Question) -> list[Unit]:
            return await question.units(asked.figure, asked.by, asked.row)

        units = await asked_of(context, caller, figures, asked, answer)
        kept_as = sheets.file_name(request.url.path, caller.tenant, context.catalogues.today())
        return Export(context.heavy, context.keys, caller, _units_as_csv(context.heavy, units), kept_as)

    # FastAPI reads what this register can be asked from the annotations
    records.__annotations__["asked"] = Annotated[_named(figures, PageQuestion), Query()]
    records_csv.__annotations__["asked"] = Annotated[_named(figures, UnitQuestion), Query()]
    counted = f"{figures.title}: what a figure counts"
    told = "Exactly those that a figure counts, by code, with what each adds to it."
    router.get(
        f"{path}/records",
        name=f"{name}_records",
        summary=counted,
        description=f"{told} Whole as CSV: `{path}/records.csv`.",
        response_model=UnitList,
        responses=errors,
    )(records)
    router.get(
        f"{path}/records.csv",
        name=f"{name}_records_csv",
        summary=f"{counted}, as CSV",
        description=f"{told} All of them in one answer.",
        **described_as(Format.CSV, errors, sheets.write(UNIT_FIELDS, ())),
    )(records_csv)


for _figures in FIGURE_SETS.values():
    serve_figures(router, _figures)
