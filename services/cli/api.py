"""What commands that talk to a running API share: where it is, with which key, and what its refusals say."""

import argparse
import os
from typing import Any, Final

import httpx

from services.cli.errors import CommandError
from shared.settings import Settings

KEY_VARIABLE: Final = "MOTCUA_KEY"

ANSWER_SECONDS: Final = 600.0


def add_api_options(command: argparse.ArgumentParser, *, scope: str) -> None:
    """``--api`` and ``--key``; ``scope`` is what the key must allow."""
    settings = Settings()
    command.add_argument(
        "--api", default=f"http://{settings.api_host}:{settings.api_port}", help="base URL of the API (%(default)s)"
    )
    command.add_argument(
        "--key",
        default=os.environ.get(KEY_VARIABLE) or settings.dev_key.get_secret_value(),
        help=f"key with {scope}; {KEY_VARIABLE} or the development key when absent",
    )


def api_client(arguments: argparse.Namespace) -> httpx.Client:
    """A client of the API that the options name."""
    headers = {"authorization": f"Bearer {arguments.key}"}
    return httpx.Client(base_url=arguments.api, headers=headers, timeout=ANSWER_SECONDS)


def refusal(answer: httpx.Response) -> CommandError:
    """What the person who made a refused request reads."""
    try:
        problem: dict[str, Any] = answer.json()
        wrong = "; ".join(f"{error['pointer']} {error['detail']}" for error in problem.get("errors", ()))
        text = " ".join(part for part in (f"{problem['title']}: {problem['detail']}", wrong) if part)
    except (ValueError, KeyError):
        text = answer.text[:500]
    return CommandError(f"the API answered {answer.status_code}. {text}")
