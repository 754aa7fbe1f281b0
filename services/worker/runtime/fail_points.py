"""Faults asked for by the environment, for tests and fault campaigns; nothing happens without it.

``MOTCUA_FAIL_POINT``: comma-separated ``point[:times][@probability][!]``. The named point raises `Injected` each time it is
passed (at most ``times``, with ``probability``); with ``!`` the process kills itself with SIGKILL instead. The points:

=========================  ==========================================================================
``after-read``             a batch is read and folded, nothing is written
``between-state-and-cursor``  dossiers, sums and ledger are written, the cursor is not moved
``before-commit``          all is written, nothing is committed
``mid-rebuild``            a page of a rebuild is compared
``before-swap``            a rebuild is computed, its corrections are not applied
``before-rebuild-commit``  the corrections are applied, nothing is committed
``mid-audit``              a page of an audit is recounted
``before-audit-repair``    an audit has kept an alarm, nothing is repaired
``before-audit-commit``    it is repaired, nothing is committed
``before-clock-cursor``    the clock has appended what it had to say and not noted how far it looked
=========================  ==========================================================================

``MOTCUA_FAIL_SEED`` (default 1) seeds the probabilities. ``MOTCUA_POISON_DOSSIER``: a regular expression; folding a dossier
whose whole code matches raises `Injected`.
"""

import os
import random
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.observability import get_logger

_RULE = re.compile(r"(?P<point>[a-z-]+)(?::(?P<times>\d+))?(?:@(?P<probability>[01](?:\.\d+)?))?(?P<kill>!)?")


class Injected(Exception):  # noqa: N818 - it is no error of the product
    """A fault that a test asked for."""


@dataclass(slots=True)
class _Rule:
    times: int | None
    probability: float
    kill: bool


@dataclass(slots=True)
class FailPoints:
    """The faults of one process."""

    rules: dict[str, _Rule] = field(default_factory=dict)
    poison: re.Pattern[str] | None = None
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - repeatable faults

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "FailPoints":
        """Read ``MOTCUA_FAIL_POINT``, ``MOTCUA_FAIL_SEED`` and ``MOTCUA_POISON_DOSSIER``.

        Raises:
            ValueError: a rule that cannot be read.
        """
        rules: dict[str, _Rule] = {}
        for text in filter(None, environment.get("MOTCUA_FAIL_POINT", "").split(",")):
            found = _RULE.fullmatch(text.strip())
            if found is None:
                raise ValueError(f"MOTCUA_FAIL_POINT: cannot read {text!r}")
            times = found["times"]
            rules[found["point"]] = _Rule(
                int(times) if times else None, float(found["probability"] or 1), bool(found["kill"])
            )
        poison = environment.get("MOTCUA_POISON_DOSSIER")
        seed = int(environment.get("MOTCUA_FAIL_SEED", "1"))
        return cls(rules, re.compile(poison) if poison else None, random.Random(seed))  # noqa: S311 - repeatable faults

    def passed(self, point: str) -> None:
        """Fail here, if asked to."""
        rule = self.rules.get(point)
        if rule is None or rule.times == 0 or self.chance.random() >= rule.probability:
            return
        if rule.times is not None:
            rule.times -= 1
        get_logger().warning("fault_injected", point=point, kill=rule.kill)
        if rule.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Injected(point)

    def poisons(self, dossier_code: str) -> bool:
        return self.poison is not None and self.poison.fullmatch(dossier_code) is not None

    def folded(self, dossier_code: str) -> None:
        """Fail for a poisoned dossier."""
        if self.poisons(dossier_code):
            raise Injected(f"poisoned: {dossier_code}")


NO_FAULTS = FailPoints()
