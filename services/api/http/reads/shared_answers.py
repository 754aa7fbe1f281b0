"""Answers that many want at the same time are made once."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar, cast

_MOST_REMEMBERED: Final = 512
_MADE_AT_ONCE: Final = 2
"""Whoever watches leaves the connections of ordinary questions to those who ask."""

_T = TypeVar("_T")


class SharedAnswers:
    """The last answer to each question, with the state of things that it was made for."""

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, tuple[object, asyncio.Task[Any]]] = OrderedDict()
        self._few = asyncio.Semaphore(_MADE_AT_ONCE)

    async def answer(self, question: Hashable, state: object, make: Callable[[], Awaitable[_T]]) -> _T:
        """The answer for this state of things; made unless it is, or is being made. What fails is not remembered."""
        known = self._made.get(question)
        if known is None or known[0] != state:
            known = self._made[question] = (state, asyncio.create_task(self._make(question, make)))
            self._made.move_to_end(question)
            if len(self._made) > _MOST_REMEMBERED:
                self._made.popitem(last=False)
        # many may wait for it; the end of one of them must not end it
        return cast("_T", await asyncio.shield(known[1]))

    async def _make(self, question: Hashable, make: Callable[[], Awaitable[_T]]) -> _T:
        try:
            async with self._few:
                return await make()
        except BaseException:
            made = self._made.get(question)
            if made is not None and made[1] is asyncio.current_task():
                del self._made[question]
            raise
