"""An API to ask, as the tests of clients see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from tests.contract.clients.questions import Question
from tests.support.http.api_process import KEY


@dataclass(frozen=True)
class Office:
    url: str
    questions: list[Question]

    @property
    def key(self) -> str:
        return KEY["authorization"].removeprefix("Bearer ")

    def answers(self) -> dict[str, Any]:
        """What everything that can be asked is answered, by path: JSON, or the text of another content."""
        found: dict[str, Any] = {}
        with httpx.Client(base_url=self.url, headers=KEY, timeout=60) as client:
            for question in self.questions:
                answer = client.get(question.target, params=question.in_query)
                assert answer.status_code == 200, f"{question}: {answer.text}"
                assert answer.headers["content-type"].startswith(question.media_type)
                found[question.path] = answer.json() if question.is_json else answer.text
        return found
