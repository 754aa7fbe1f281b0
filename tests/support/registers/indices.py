"""The indices of an API that answers heavy reads itself: made at once, however few there are to count."""

from __future__ import annotations

import asyncio

from shared.register_figures.store.indices import Indices, _Kept
from tests.support.api import Served


def small_enough(api: Served) -> Indices:
    """From now on there is an index of whatever is asked about."""
    indices: Indices = api.app.state.context.indices
    indices.least_cases = 0
    return indices


async def made(indices: Indices) -> list[_Kept]:
    """Those that there are, once all that are being made are there."""
    while any(one.index is None and one.work is not None and not one.work.done() for one in indices._kept.values()):
        await asyncio.sleep(0.01)
    return [one for one in indices._kept.values() if one.index is not None]
