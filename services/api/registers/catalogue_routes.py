"""The procedure catalogue on a day, as decisions make it."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.catalogue.schemas import PROCEDURE_CODE_PATTERN
from services.api.figures.parameters import ANY_PERIOD, Filters
from services.api.http.access.callers import AnyCaller
from services.api.http.access.keyring import Caller
from services.api.http.answers import json_answer
from services.api.http.context import Context, RequestContext
from services.api.http.openapi import error_answers
from services.api.http.parameters import PRINTABLE, LocalDate, OneSpelling
from services.api.http.reads.handover import heavy
from services.api.registers.catalogue_schemas import (
    GovernmentLevel,
    OnlineLevel,
    ProcessOut,
    ProcessStepOut,
    ReducedTermOut,
    ServiceDecisionOut,
    ServiceDetail,
    ServiceOut,
    Services,
)
from services.api.registers.use_cases import asked_of
from shared.register_figures.store.tables import Question
from shared.register_figures.store.worlds import KnownWorld
from shared.registers.catalogue import precedence
from shared.registers.catalogue.decisions import DecidedCatalogue
from shared.registers.catalogue.figures import FIGURE_SET
from shared.vocabulary.errors import NotFound

router = APIRouter(tags=["catalogues"])


class DayQuestion(BaseModel):
    """The day that the catalogue is asked about, and what was known by when."""

    model_config = ConfigDict(extra="forbid")

    on: Annotated[LocalDate | None, Field(description="The day (ngày); default: today, or that of `as_of`.")] = None
    as_of: Annotated[
        str | None,
        Field(max_length=40, description="As it was known then: a date, for its local end of day, or an RFC 3339 instant."),
    ] = None


class ServiceQuestion(DayQuestion):
    """Which procedures in force are asked for."""

    field: Annotated[
        str | None,
        Field(max_length=200, pattern=PRINTABLE, description="Only of this field (lĩnh vực).", examples=["Đất đai"]),
        OneSpelling,
    ] = None
    level: Annotated[
        GovernmentLevel | OnlineLevel | None,
        Field(description="Only handled at this level (cấp thực hiện), or offered online at this one (mức độ)."),
    ] = None


_T = TypeVar("_T")


async def _asked(
    context: Context, caller: Caller, as_of: str | None, answer: Callable[[DecidedCatalogue, KnownWorld], _T]
) -> _T:
    async def of(question: Question) -> _T:
        facts = {code: one.facts for code, one in question.world.records("catalogue").items()}
        return answer(DecidedCatalogue.of(facts), question.world)

    return await asked_of(context, caller, FIGURE_SET, Filters(period=ANY_PERIOD, as_of=as_of), of, in_full=True)


@router.get(
    "/v1/services",
    summary="The procedures in force on a day",
    description="""The procedure catalogue (danh mục TTHC) on a day, as decisions make it: what each publishes, at which
online level it is offered (dịch vụ công trực tuyến), whether it is integrated, its internal process. Where a decision
speaks, it wins over `PUT /v1/procedures`; what is left out is as the sheet has it.""",
    response_model=Services,
    responses=error_answers(),
)
@heavy
async def list_services(context: RequestContext, caller: AnyCaller, asked: Annotated[ServiceQuestion, Query()]) -> Response:
    def answer(catalogue: DecidedCatalogue, world: KnownWorld) -> Services:
        day, sheet = asked.on or world.today, world.procedures
        entries = ((code, catalogue.entry(code, day)) for code in sorted(catalogue.procedures))
        items = [ServiceOut.of(catalogue, code, act, day, sheet) for code, act in entries if act is not None]
        return Services(
            on=day,
            items=[
                one
                for one in items
                if (asked.field is None or one.field == asked.field)
                and (asked.level is None or asked.level in {*one.levels, one.online_level})
            ],
        )

    return json_answer(await _asked(context, caller, asked.as_of, answer))


@router.get(
    "/v1/services/{procedure_code}",
    summary="One procedure with its decisions",
    description="A procedure (TTHC) as it is in force on a day, with every decision that names it, its internal processes"
    " and reduced terms. 404 where neither a decision nor `PUT /v1/procedures` names it.",
    response_model=ServiceDetail,
    responses=error_answers(404),
)
@heavy
async def get_service(
    context: RequestContext,
    caller: AnyCaller,
    procedure_code: Annotated[
        str, Path(pattern=PROCEDURE_CODE_PATTERN, description="Its code (mã TTHC).", examples=["1.005129"])
    ],
    asked: Annotated[DayQuestion, Query()],
) -> Response:
    def answer(catalogue: DecidedCatalogue, world: KnownWorld) -> ServiceDetail:
        return _detail(catalogue, world, procedure_code, asked.on or world.today)

    return json_answer(await _asked(context, caller, asked.as_of, answer))


def _detail(catalogue: DecidedCatalogue, world: KnownWorld, code: str, day: date) -> ServiceDetail:
    naming = [one for one in catalogue.decisions if one.names(code)]
    if not naming and code not in world.procedures:
        raise NotFound
    anomalies: defaultdict[str, list[str]] = defaultdict(list)
    for found in catalogue.anomalies():
        if found.procedure == code:
            anomalies[found.decision].append(found.code)
    known = world.records("catalogue")
    act, sheet = catalogue.entry(code, day), world.procedures
    limit = precedence.limit_of(None if act is None else act.item, sheet.get(code))
    return ServiceDetail(
        code=code,
        on=day,
        service=None if act is None else ServiceOut.of(catalogue, code, act, day, sheet),
        decisions=[
            ServiceDecisionOut.of(one, code, day, [*known[one.code].anomalies, *anomalies[one.code]]) for one in naming
        ],
        processes=[
            ProcessOut(
                decision=decision.code,
                variant=item.get("variant"),
                steps=[ProcessStepOut(**{"hours": None, "counts": True, **step}) for step in item["steps"]],
                process_sum=precedence.process_sum_differs(item, limit),
            )
            for decision, item in catalogue.processes(code, day)
        ],
        reduced_terms=[ReducedTermOut.model_validate(item) for item in catalogue.reduced_terms(code, day).values()],
    )
