"""How many wrong keys an address has sent lately. A right key is never refused for what its neighbours send."""

import asyncio
import time
from collections import OrderedDict
from typing import Final

MOST: Final = 60
"""Wrong keys of one address in `WINDOW_SECONDS`; beyond it they are answered 429 and looked up one after the other."""

WINDOW_SECONDS: Final = 60.0
_MOST_ADDRESSES: Final = 10_000


class WrongKeys:
    """The wrong keys of each address within its window; of so many addresses at most, the oldest forgotten first."""

    def __init__(self) -> None:
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self.one_by_one: Final = asyncio.Lock()
        """Held while a key of an address with too many is looked up: they cost the others little."""

    def __len__(self) -> int:
        return len(self._counted)

    def count(self, address: str) -> None:
        """One more."""
        began, number = self._counted.pop(address, (time.monotonic(), 0))
        if time.monotonic() - began >= WINDOW_SECONDS:
            began, number = time.monotonic(), 0
        self._counted[address] = began, number + 1
        if len(self._counted) > _MOST_ADDRESSES:
            self._counted.popitem(last=False)

    def seconds_to_wait(self, address: str) -> int:
        """Until the address may send wrong keys again; 0: it may."""
        began, number = self._counted.get(address, (0.0, 0))
        left = began + WINDOW_SECONDS - time.monotonic()
        return max(int(left) + 1, 1) if number > MOST and left > 0 else 0
