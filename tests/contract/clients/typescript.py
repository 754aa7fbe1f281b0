"""A TypeScript program that asks every question with a generated client, written for the compiler to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from json import dumps
from typing import Final

from tests.contract.clients.questions import Question

_END: Final = "console.log(JSON.stringify(answers));\n"
_KEPT: Final = """const answers: Record<string, unknown> = {};
async function keep(path: string, status: number | undefined, data: unknown): Promise<void> {
  if (status !== 200) throw new Error(`${path}: ${status}`);
  answers[path] = data instanceof Blob ? await data.text() : data;
}
"""


def camel(name: str) -> str:
    first, *others = re.split(r"\W+|_", name)
    return first.lower() + "".join(other[:1].upper() + other[1:] for other in others)


def openapi_fetch(questions: Iterable[Question], url: str, key: str) -> str:
    """With the types of openapi-typescript."""
    calls = []
    for question in questions:
        parameters = {"path": question.in_path} if question.in_path else {}
        parameters |= {"query": question.in_query} if question.in_query else {}
        read_as = "" if question.is_json else ', parseAs: "blob"'
        calls.append(
            f"{{ const {{ data, response }} = await api.GET({dumps(question.path)}, {{ params: {dumps(parameters)}{read_as} }});\n"
            f"  await keep({dumps(question.path)}, response.status, data); }}\n"
        )
    return (
        'import createClient from "openapi-fetch";\nimport type { paths } from "./motcua.js";\n'
        f"const api = createClient<paths>({{ baseUrl: {dumps(url)}, headers: {{ Authorization: {dumps('Bearer ' + key)} }} }});\n"
        + _KEPT
        + "".join(calls)
        + _END
    )


def hey_api(questions: Iterable[Question], url: str, key: str) -> str:
    calls = []
    for question in questions:
        parameters = {"path": question.in_path} if question.in_path else {}
        parameters |= {"query": question.in_query} if question.in_query else {}
        calls.append(
            f"{{ const {{ data, response }} = await sdk.{camel(question.operation_id)}({dumps(parameters)});\n"
            f"  await keep({dumps(question.path)}, response?.status, data); }}\n"
        )
    return (
        'import * as sdk from "./motcua/sdk.gen.js";\nimport { client } from "./motcua/client.gen.js";\n'
        f"client.setConfig({{ baseUrl: {dumps(url)}, auth: {dumps(key)} }});\n" + _KEPT + "".join(calls) + _END
    )


def orval(questions: Iterable[Question], _url: str, key: str) -> str:
    calls = []
    for question in questions:
        arguments = [dumps(value) for value in question.in_path.values()]
        if question.takes_query:
            arguments.append(dumps(question.in_query) if question.in_query else "undefined")
        arguments.append("options")
        calls.append(
            f"{{ const {{ data, status }} = await sdk.{camel(question.operation_id)}({', '.join(arguments)});\n"
            f"  await keep({dumps(question.path)}, status, data); }}\n"
        )
    return (
        'import * as sdk from "./motcua.js";\n'
        f"const options = {{ headers: {{ Authorization: {dumps('Bearer ' + key)} }} }};\n" + _KEPT + "".join(calls) + _END
    )
