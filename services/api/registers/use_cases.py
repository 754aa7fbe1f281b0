"""What is done when figures and records of registers are asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from services.api.figures.parameters import Filters
from services.api.figures.use_cases import view_when_counted
from services.api.figures.views import Seen
from services.api.http.access.keyring import Caller
from services.api.http.context import Context
from services.api.projection.use_cases import WAIT_SECONDS
from shared.database.engine import DriverConnection, driver_session
from shared.events.rules.registers import REGISTERS
from shared.projection.store.progress import progress
from shared.register_figures.rules.given_tables import GivenTable
from shared.register_figures.store.given_tables import read_tables
from shared.register_figures.store.tables import Question
from shared.registers.measures import FigureSet
from shared.vocabulary.errors import NotYet
from shared.vocabulary.periods import read_period

_LOOK_SECONDS: Final = 0.05

_T = TypeVar("_T")


async def wait_until_counted(context: Context, caller: Caller, figures: FigureSet, position: int) -> None:
    """Wait until the event at ``position`` is counted in every register that the figures are made of.

    Raises:
        NotYet: it was not within `WAIT_SECONDS`.
    """
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    for name in sorted(figures.needs):
        while True:
            async with driver_session(context.engine) as connection:
                counted = (await progress(connection, caller.tenant, REGISTERS[name].projection)).counted
            if counted >= position:
                break
            if asyncio.get_running_loop().time() > deadline:
                raise NotYet(f"position {position} is not counted yet; counted up to {counted}")
            await asyncio.sleep(_LOOK_SECONDS)


async def asked_of(
    context: Context,
    caller: Caller,
    figures: FigureSet,
    asked: Filters,
    answer: Callable[[Question], Awaitable[_T]],
    *,
    in_full: bool = False,
) -> _T:
    """``answer(question)``, made of one snapshot of all that the figures are made of, now or as of then.

    They are counted after the snapshot: the database ends a transaction in which nothing is asked for long. Asked again
    where an agency is new to us, or it has just become another day. ``in_full``: with all records in the question's world,
    which an index has not.
    """
    view = await view_when_counted(context, caller, asked)
    if asked.min_position:
        await wait_until_counted(context, caller, figures, asked.min_position)

    async def read(connection: DriverConnection, seen: Seen) -> tuple[Question, _T]:
        almanac = await seen.almanac()
        indices = None if in_full else context.indices
        async with Question.asked(
            context.worlds, indices, connection, scope=seen.scope, almanac=almanac, figures=figures
        ) as question:
            return question, await answer(question)

    question, found = await view.read(read)
    if view.is_outdated(question.scope, question.world.stamp):
        _, found = await view.read(read)
    return found


async def given_beside(context: Context, question: Question, asked: Filters) -> Sequence[GivenTable]:
    """The given tables of the same register and period, where the whole province is asked about."""
    scope = question.scope
    if scope.is_narrowed or str(scope.top) != str(scope.access.tenant):
        return []
    covered = read_period(asked.period, asked.from_, asked.to)
    async with driver_session(context.engine) as connection:
        return await read_tables(
            connection, scope.access.tenant, scope.moment.as_of, register=question.figures.path, period=covered
        )
