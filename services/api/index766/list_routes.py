"""The dossiers and procedures behind the national index."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.api.dossiers.lists import listed
from services.api.dossiers.lists_as_of import listed_then
from services.api.dossiers.schemas import DossierList
from services.api.figures.routes import Filters, past_scope_of
from services.api.figures.scopes import LIST_ANSWERS, ListQuestion, asked_of, present_scope
from services.api.http.answers import json_answer
from services.api.http.as_of import View
from services.api.http.callers import DossierReader, StatsCaller
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.index766.schemas import IndexProcedures, procedures_answer
from shared.database.engine import DriverConnection, driver_session
from shared.index766.store import lists
from shared.index766.store.lists import Part, PartOf
from shared.search.store.filters import Selection

if TYPE_CHECKING:
    from shared.figures.store.tables import FigureScope

router = APIRouter(tags=["figures"])

Indicator = Annotated[str, Field(max_length=10, description="The indicator (chỉ số).", examples=["2.1"])]


class IndexListQuestion(ListQuestion):
    """A part of an indicator, and how its dossiers are listed."""

    indicator: Indicator
    part: Annotated[
        Part,
        Field(
            description="numerator (tử số) or denominator (mẫu số); of 2.2 mean (in the mean) or uncomputed (left out).",
            examples=["numerator"],
        ),
    ]
    unit: Annotated[
        str | None, Field(max_length=20, description="Of 2.2: the unit of the mean, `none` where it has none.")
    ] = None

    @property
    def asked(self) -> PartOf:
        """What is asked for."""
        return PartOf(self.indicator, self.part, self.unit)


class IndexProceduresQuestion(Filters):
    """A part of an indicator that counts procedures."""

    indicator: Annotated[Literal["3.5", "3.5b", "4.5a"], Field(description="The indicator (chỉ số).")]
    part: Annotated[Literal["numerator", "denominator"], Field(description="numerator (tử số) or denominator (mẫu số).")]


@router.get(
    "/v1/indices/766/dossiers",
    summary="The dossiers behind an indicator",
    description="""The dossiers (hồ sơ) that the numerator (tử số) or denominator (mẫu số) of an indicator of
`indices/766` counts, asked with the same filters: exactly as many, as pages or as CSV. Where an indicator counts procedures,
the dossiers that make them count.""",
    response_model=DossierList,
    responses=error_answers() | LIST_ANSWERS,
)
async def index_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[IndexListQuestion, Query()]
) -> Response:
    """List the dossiers of one part of an indicator."""
    if asked.as_of is not None:

        async def then(connection: DriverConnection, view: View) -> Selection:
            return await lists.selection(connection, past_scope_of(view, asked), view.prefix.as_of, asked.asked)

        return await listed_then(request, context, caller, select=then, as_of=asked.as_of, asked=asked)
    scope = await present_scope(context, caller, asked)
    async with driver_session(context.engine) as connection:
        chosen = await lists.selection(connection, scope, context.catalogues.now(), asked.asked)
    return await listed(request, context, caller, chosen, asked)


@router.get(
    "/v1/indices/766/procedures",
    summary="The procedures behind an indicator",
    description="""The procedures (thủ tục) that the numerator (tử số) or denominator (mẫu số) of 3.5, 3.5b or 4.5a counts,
asked with the same filters as `indices/766`: exactly as many, each with the dossiers that make it count.""",
    response_model=IndexProcedures,
    responses=error_answers(),
)
async def index_procedures(
    context: RequestContext, caller: StatsCaller, asked: Annotated[IndexProceduresQuestion, Query()]
) -> Response:
    """List the procedures of one part of an indicator."""
    part = PartOf(asked.indicator, Part(asked.part))

    async def answer(connection: DriverConnection, scope: "FigureScope", now: "datetime") -> dict[str, Any]:
        return procedures_answer(scope, part, await lists.procedures(connection, scope, now, part))

    return json_answer(await asked_of(context, caller, asked, answer))
