"""Published tables as given: put by the province, checked against the identities of ours, read beside our figures."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.api.http.access.callers import ProvinceAdmin, StatsCaller
from services.api.http.answers import json_answer
from services.api.http.context import RequestContext
from services.api.http.errors.problems import InvalidFields
from services.api.http.openapi import error_answers
from services.api.http.parameters import read_known_at
from services.api.registers.given_schemas import GIVEN_ID, GivenTableIn, GivenTableOut, GivenTables, table_answer
from shared.database.engine import driver_session
from shared.register_figures.store import given_tables
from shared.vocabulary.errors import NotFound

router = APIRouter(tags=["given tables"])

GivenId = Annotated[str, Path(pattern=GIVEN_ID, description="The table's id (mã bảng số liệu).", examples=["feedback_2022"])]
AsOf = Annotated[str | None, Query(max_length=40, description="As known then: a date or an RFC 3339 instant.")]


@router.put(
    "/v1/given/{id}",
    summary="Give a published table",
    description="""Keeps a published table (số liệu công bố) with its issuer, date, period and printed text. Answers the
identities (đẳng thức) of our figures that it breaks, of those whose figures are all given, and what is only quoted: breaks
are listed, nothing is corrected, and what is quoted is never summed. Given again it is a new version; earlier ones are kept.
Given again unchanged, nothing is written. Needs the scope `admin`, no subtree.""",
    response_model=GivenTableOut,
    responses=error_answers(400, 415),
)
async def put_given_table(context: RequestContext, caller: ProvinceAdmin, id: GivenId, body: GivenTableIn) -> Response:  # noqa: A002 - the name in the path
    if faults := body.faults():
        raise InvalidFields(faults)
    async with driver_session(context.engine) as connection, connection.transaction():
        table = await given_tables.put_table(connection, caller.tenant, body.to_domain(id))
    return json_answer(table_answer(table))


@router.get(
    "/v1/given/{id}",
    summary="A published table as given",
    description="The newest version of a published table (số liệu công bố), as given, with the identities that it breaks;"
    " with `as_of` as known then.",
    response_model=GivenTableOut,
    responses=error_answers(404),
)
async def get_given_table(context: RequestContext, caller: StatsCaller, id: GivenId, as_of: AsOf = None) -> Response:  # noqa: A002 - the name in the path
    async with driver_session(context.engine) as connection:
        versions = await given_tables.read_versions(connection, caller.tenant, id, read_known_at(as_of))
    if not versions:
        raise NotFound
    return json_answer(table_answer(versions[0]))


@router.get(
    "/v1/given",
    summary="Published tables as given",
    description="The newest version of every published table (số liệu công bố), by id; with `id` every version of that one,"
    " the newest first; with `as_of` as known then.",
    response_model=GivenTables,
    responses=error_answers(),
)
async def list_given_tables(
    context: RequestContext,
    caller: StatsCaller,
    id: Annotated[str | None, Query(pattern=GIVEN_ID, description="Every version of this table.")] = None,  # noqa: A002
    as_of: AsOf = None,
) -> Response:
    known_by = read_known_at(as_of)
    async with driver_session(context.engine) as connection:
        if id is None:
            found = await given_tables.read_tables(connection, caller.tenant, known_by)
        else:
            found = await given_tables.read_versions(connection, caller.tenant, id, known_by)
    return json_answer({"items": [table_answer(one) for one in found]})
