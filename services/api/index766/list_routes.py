"""The dossiers and procedures behind the national index."""

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.api.dossiers.lists import serve_list
from services.api.figures.parameters import Filters, ListQuestion
from services.api.figures.use_cases import view_when_counted
from services.api.figures.views import Seen
from services.api.http.access.callers import DossierReader, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.openapi import error_answers
from services.api.http.reads.handover import heavy
from services.api.index766.schemas import IndexProcedures, procedures_answer
from shared.database.engine import DriverConnection
from shared.index766.store import lists
from shared.index766.store.lists import Part, PartOf
from shared.search.store.filters import Selection

router = APIRouter(tags=["figures"])

_PROCEDURE_INDICATORS: Final = tuple(sorted({one for (one, _), behind in lists.PARTS.items() if behind.of_procedures}))

if TYPE_CHECKING:
    # a literal type of a table at run time
    _OfProcedures = str
else:
    _OfProcedures = Literal[_PROCEDURE_INDICATORS]

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

    indicator: Annotated[_OfProcedures, Field(description="The indicator (chỉ số).")]
    part: Annotated[Literal["numerator", "denominator"], Field(description="numerator (tử số) or denominator (mẫu số).")]


@serve_list(
    router,
    "/v1/indices/766/dossiers",
    "The dossiers behind an indicator",
    """The dossiers (hồ sơ) that the numerator (tử số) or denominator (mẫu số) of an indicator of
`indices/766` counts, asked with the same filters: exactly as many, as pages or as CSV. Where an indicator counts procedures,
the dossiers that make them count.""",
)
async def index_dossiers(
    request: Request, context: RequestContext, caller: DossierReader, asked: Annotated[IndexListQuestion, Query()]
) -> Response:
    """List the dossiers of one part of an indicator."""

    async def select(seen: Seen) -> Selection:
        async with seen.session() as connection:
            return await lists.selection(connection, seen.scope, seen.instant, asked.asked, context.worlds)

    view = await view_when_counted(context, caller, asked)
    return await view.listed(request, asked, select)


@router.get(
    "/v1/indices/766/procedures",
    summary="The procedures behind an indicator",
    description="""The procedures (thủ tục) that the numerator (tử số) or denominator (mẫu số) of 3.2, 3.5, 3.5b or 4.5a
counts, asked with the same filters as `indices/766`: exactly as many, each with the dossiers that make it count.""",
    response_model=IndexProcedures,
    responses=error_answers(),
)
@heavy
async def index_procedures(
    context: RequestContext, caller: StatsCaller, asked: Annotated[IndexProceduresQuestion, Query()]
) -> Response:
    """List the procedures of one part of an indicator."""
    part = PartOf(asked.indicator, Part(asked.part))

    async def answer(connection: DriverConnection, seen: Seen) -> dict[str, Any]:
        found = await lists.procedures(connection, seen.scope, seen.instant, part, context.worlds)
        return procedures_answer(seen.scope, part, found)

    view = await view_when_counted(context, caller, asked)
    return json_answer(await view.read(answer))
