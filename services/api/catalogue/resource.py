"""A catalogue as an HTTP resource: one description, and one way in which all are read and told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, NamedTuple, Protocol, TypeVar

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, TypeAdapter

from services.api.catalogue.bodies import (
    CSV,
    CatalogueBody,
    Row,
    body_described,
    csv_answer,
    csv_body_described,
    pointed,
    read_body,
    validated,
)
from services.api.catalogue.parameters import AsOf, Replace
from services.api.catalogue.schemas import Change
from services.api.catalogue.shortened_codes import shortened
from services.api.http.access.auth import Caller, refuse_replacing
from services.api.http.access.callers import AnyCaller
from services.api.http.bodies.json_cutter import Turn
from services.api.http.context import Context, RequestContext
from services.api.http.errors.field_errors import Fault
from services.api.http.errors.problems import InvalidFields
from services.api.http.formats import Format, FormatParameter, described_as, format_of
from services.api.http.openapi import error_answers
from services.api.http.parameters import read_known_at
from services.api.http.reads.handover import heavy_as_file
from services.api.http.sheets import Sheet, file_name
from shared.catalogue.store.changes import CatalogueChange
from shared.database.clock import database_now
from shared.database.engine import DriverConnection, driver_session
from shared.vocabulary.errors import Forbidden, InvalidInput
from shared.vocabulary.events import Tenant
from shared.vocabulary.local_time import local_date

_Item = TypeVar("_Item", bound=BaseModel)
_Told = TypeVar("_Told")
_Given = TypeVar("_Given")
_Answer = TypeVar("_Answer", bound=BaseModel)
_Given_contra = TypeVar("_Given_contra", contravariant=True)


class Words(NamedTuple):
    """What the OpenAPI document says of an operation: its name there, and for people."""

    name: str
    summary: str
    description: str


class Write(Protocol[_Given_contra]):
    """How a store takes what is given."""

    def __call__(
        self, connection: DriverConnection, caller: Caller, given: _Given_contra, *, replace: bool
    ) -> Awaitable[CatalogueChange]:
        """Write new versions in the transaction of the connection."""


async def as_told(items: list[_Told], _tenant: Tenant, _turn: Turn) -> list[_Told]:
    """What is given to the store: the items in the order told."""
    return items


async def _no_codes(_connection: DriverConnection, _tenant: Tenant) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Resource(Generic[_Item, _Told, _Given, _Answer]):
    """A catalogue: how it is described, read and told, as JSON and as CSV."""

    path: str
    reading: Words
    telling: Words
    example: Any
    csv_example: str

    items: TypeAdapter[list[_Item]]
    sheet: Sheet
    """The columns that a CSV may have."""
    headings: Sequence[str]
    """Those that a CSV of ours has."""
    answer_model: type[_Answer]

    read: Callable[[DriverConnection, Tenant, datetime | None], Awaitable[_Answer]]
    """What was known at an instant; None: now."""
    rows: Callable[[_Answer], list[Row]]
    """The same as rows of a CSV."""

    may_tell: Callable[..., Awaitable[Caller]]
    """The dependency that answers a caller with the right to tell it."""
    to_domain: Callable[[_Item], _Told]
    gather: Callable[[list[_Told], Tenant, Turn], Awaitable[_Given]]
    """What the store is given, of items that are right one by one; refuses what is wrong between them."""
    write: Write[_Given]

    codes: Callable[[DriverConnection, Tenant], Awaitable[Sequence[str]]] = _no_codes
    """The codes, of those that rows are of, that are known elsewhere: a spreadsheet may have made others of them."""
    convert: Callable[[Row], Row] = dict
    """Makes of a CSV row what the JSON has."""
    within: str = ""
    """The member of the body that has the items, where the body is no array of them."""
    body: TypeAdapter[Any] | None = None
    """The whole body, where it is no array of items."""
    is_remembered: bool = True
    """Whether processes remember it between requests."""

    def serve_reading(self, router: APIRouter) -> None:
        """Add the operation that reads it."""

        @heavy_as_file
        async def read(
            request: Request,
            context: RequestContext,
            caller: AnyCaller,
            as_of: AsOf = None,
            format_: FormatParameter = None,
        ) -> Any:
            async with driver_session(context.engine) as connection:
                answer = await self.read(connection, caller.tenant, read_known_at(as_of))
                if format_of(request, format_, Format) is not Format.CSV:
                    return answer
                today = local_date(await database_now(connection))
            return csv_answer(self.headings, self.rows(answer), file_name(self.path, caller.tenant, today))

        name, summary, description = self.reading
        told = f"{description} As CSV: `{self.path}.csv`; here too with `format=csv`, or where `Accept` asks for it alone."
        json: dict[str, Any] = {"response_model": self.answer_model, "responses": error_answers()}
        router.add_api_route(self.path, read, name=name, summary=summary, description=told, **json)
        csv = described_as(Format.CSV, error_answers(), self.csv_example)
        told = f"{description} What `PUT` takes back."
        router.add_api_route(
            f"{self.path}.csv", read, name=f"{name}_csv", summary=f"{summary}, as CSV", description=told, **csv
        )

    def serve_telling(self, router: APIRouter) -> None:
        """Add the operation that tells it."""

        async def tell(
            request: Request,
            context: RequestContext,
            caller: Annotated[Caller, Depends(self.may_tell)],
            replace: Replace = False,
        ) -> Change:
            refuse_replacing(caller, replace=replace)
            body = await read_body(request, self.sheet, self.convert, self.within)
            return await self.take(body, context, caller, replace=replace)

        router.put(self.path, **self.describe_telling())(tell)
        router.put(f"{self.path}.csv", **self.describe_telling_csv())(tell)

    def describe_telling(self) -> dict[str, Any]:
        """The operation that tells it in JSON, for the OpenAPI document."""
        name, summary, description = self.telling
        return {
            "name": name,
            "summary": summary,
            "description": f"{description}\n\nAs CSV: `{self.path}.csv`; here too with the content type `{CSV}`.",
            "responses": error_answers(400, 413, 415),
            "openapi_extra": body_described(self.body or self.items, self.example),
        }

    def describe_telling_csv(self) -> dict[str, Any]:
        """The operation that tells it as CSV, for the OpenAPI document."""
        name, summary, description = self.telling
        return {
            "name": f"{name}_csv",
            "summary": f"{summary}, as CSV",
            "description": f"{description}\n\nUTF-8, apart by commas, semicolons or tabs, with the headings of `GET`.",
            "responses": error_answers(400, 413, 415),
            "openapi_extra": csv_body_described(self.csv_example),
        }

    async def take(
        self,
        body: CatalogueBody,
        context: Context,
        caller: Caller,
        *,
        replace: bool,
        gather: Callable[[list[_Told], Tenant, Turn], Awaitable[_Given]] | None = None,
    ) -> Change:
        """Take what a body tells. ``gather``: another one than the resource's, which knows more of this body.

        Raises:
            Refused: an item is nested too deep to be read.
            InvalidFields, InvalidInput, Forbidden: with pointers into the body as it was told.
        """
        turn = context.fairness.turn
        if body.rows is not None:
            await self._refuse_shortened(body, body.rows, context, caller)
        items = await validated(self.items, body, turn, self.to_domain)
        try:
            given = await (gather or self.gather)(items, caller.tenant, turn)
            async with driver_session(context.engine) as connection, connection.transaction():
                change = await self.write(connection, caller, given, replace=replace)
        except (InvalidInput, Forbidden) as error:
            raise pointed(error, body) from error
        if self.is_remembered:
            context.catalogues.forget(caller.tenant)
        return Change.model_validate(change, from_attributes=True)

    async def _refuse_shortened(self, body: CatalogueBody, numbers: Sequence[int], context: Context, caller: Caller) -> None:
        async with driver_session(context.engine) as connection:
            known = await self.read(connection, caller.tenant, None)
            codes = await self.codes(connection, caller.tenant)

        def find() -> list[Fault]:
            told = [(number, orjson.loads(item)) for number, item in zip(numbers, body.items, strict=True)]
            return shortened(told, self.rows(known), codes, self.headings[0])

        # thousands of rows take longer than whoever shares the event loop can wait
        faults = await asyncio.to_thread(find)
        if faults:
            raise InvalidFields(faults)
