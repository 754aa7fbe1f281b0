"""Asks every question with a generated Python client: `python_questions.py GENERATOR URL KEY < questions.json`.

Prints what the client made of each answer, written as JSON again.
"""

import datetime as dt
import enum
import importlib
import inspect
import json
import re
import sys
import types
import typing


def snake(name: str) -> str:
    return re.sub(r"\W+", "_", name).lower()


def as_hinted(hint, value):
    """The value as the type that a client wants: of an enumeration, a date, a list of them."""
    for one in typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,):
        if typing.get_origin(one) is list:
            return [as_hinted(typing.get_args(one)[0], item) for item in value]
        if inspect.isclass(one) and issubclass(one, enum.Enum):
            return one(value)
        if one in (dt.date, dt.datetime):
            return one.fromisoformat(value)
    return value


def arguments(function, question):
    """A client's own names for parameters: `from` is `from_` or `var_from`."""
    hints = typing.get_type_hints(function)
    named = {name.removeprefix("var_").strip("_"): name for name in inspect.signature(function).parameters}
    given = question["in_path"] | question["in_query"]
    return {named[snake(name)]: as_hinted(hints[named[snake(name)]], value) for name, value in given.items()}


def plain(value):
    if hasattr(value, "payload"):  # a file
        return value.payload.read().decode("utf-8", "replace")
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.to_dict() if hasattr(value, "to_dict") else value


class OpenapiPythonClient:
    def __init__(self, url, key):
        package = importlib.import_module("motcua_client")
        self.client = package.AuthenticatedClient(base_url=url, token=key)

    def ask(self, question):
        module = importlib.import_module(f"motcua_client.api.{snake(question['tag'])}.{snake(question['operation_id'])}")
        answer = module.sync_detailed(client=self.client, **arguments(module.sync_detailed, question))
        assert answer.status_code == 200, (question, answer.content)
        return plain(answer.parsed)


class OpenapiGenerator:
    def __init__(self, url, key):
        self.package = importlib.import_module("motcua_client")
        self.client = self.package.ApiClient(self.package.Configuration(host=url, access_token=key))

    def ask(self, question):
        name = re.sub(r"\W", "", question["tag"].title()) + "Api"
        function = getattr(getattr(self.package, name)(self.client), snake(question["operation_id"]))
        answer = function(**arguments(inspect.unwrap(function), question))
        if isinstance(answer, bytes | bytearray):
            return answer.decode("utf-8", "replace")
        return self.client.sanitize_for_serialization(answer)


def main(generator, url, key):
    client = {"openapi-python-client": OpenapiPythonClient, "openapi-generator": OpenapiGenerator}[generator](url, key)
    answers = {question["path"]: client.ask(question) for question in json.load(sys.stdin)}
    json.dump(answers, sys.stdout, default=str)


main(*sys.argv[1:])
