#!/usr/bin/env bash
# A description beside a parameter's $ref takes its type away: openapi-generator-cli 7.26.0, generator python.
#
# What is given: two documents of OpenAPI 3.1 that differ in one word. A query parameter `colour` refers to an enumeration
# in the components; in the second document a `description` stands beside the `$ref`, as 3.1 allows and as pydantic and
# FastAPI write it for every described parameter of an enumeration.
#
# What happens: from the first the function takes `Colour`, and a text is made one ("red" goes out as colour=red). From the
# second it takes `Any` (all that the log has is "Failed to get the schema name: null"), and the code below still asks the
# argument for its `.value`: the text that the type allows ends in AttributeError: 'str' object has no attribute 'value',
# before anything is sent.
#
# Why a good guess is wrong:
#  - In 3.0 what stands beside `$ref` is ignored, in 3.1 it adds to it. One expects the same type with or without it.
#  - Properties of models with a `$ref` and a description keep their type, in the same run.
#  - The generator does know that it is an enumeration: that is why it asks for `.value`.
#  - It generates without an error, imports, and type checkers take any argument; it fails at the first call.
# In a document the cure is to keep a parameter's `$ref` alone: the parameter has a description of its own.
#
# Needs java on the PATH. Ends with 0 as long as the behaviour is as described, with 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openapi-generator-cli==7.26.0 pydantic==2.14.3 \
  urllib3==2.8.0 python-dateutil==4.0.0 >"$folder/pip.log" 2>&1 || { cat "$folder/pip.log" >&2; exit 2; }

document() { # what stands beside the parameter's $ref
  cat <<JSON
{"openapi": "3.1.0", "info": {"title": "paint", "version": "1"}, "paths": {"/paint": {"get": {
  "operationId": "paint", "tags": ["paint"],
  "parameters": [{"name": "colour", "in": "query", "required": true, "schema": {"\$ref": "#/components/schemas/Colour"$1}}],
  "responses": {"200": {"description": "Done.", "content": {"application/json": {"schema": {"\$ref": "#/components/schemas/Painted"}}}}}}}},
 "components": {"schemas": {"Colour": {"type": "string", "enum": ["red", "green"]},
  "Painted": {"type": "object", "properties": {"colour": {"\$ref": "#/components/schemas/Colour"$1}}}}}}
JSON
}
document '' >"$folder/alone.json"
document ', "description": "What to paint with."' >"$folder/beside.json"
for name in alone beside; do
  "$folder/venv/bin/openapi-generator-cli" generate -i "$folder/$name.json" -g python -o "$folder/$name" \
    --additional-properties=packageName="${name}_client" >"$folder/$name.log" 2>&1 || { cat "$folder/$name.log" >&2; exit 2; }
done

cat >"$folder/experiment.py" <<'PYTHON'
"""Ask both clients to paint, of a server on the loopback, with a text."""

import http.server
import importlib
import inspect
import sys
import threading
import typing

ASKED = []


class Painter(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ASKED.append(self.path)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"colour": "red"}')

    def log_message(self, *_):
        pass


def tried(package, url):
    client = importlib.import_module(package)
    with client.ApiClient(client.Configuration(host=url)) as connection:
        paint = client.PaintApi(connection).paint
        wanted = typing.get_type_hints(inspect.unwrap(paint))["colour"]
        of_model = client.Painted.model_fields["colour"].annotation
        ASKED.clear()
        try:
            answer = paint(colour="red")
            outcome = f"sent {ASKED[0]}, answered {answer.colour.value}"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}; sent {ASKED}"
    return getattr(wanted, "__name__", str(wanted)), str(of_model), outcome


server = http.server.HTTPServer(("127.0.0.1", 0), Painter)
threading.Thread(target=server.serve_forever, daemon=True).start()
expected = {
    "alone": ("Colour", "sent /paint?colour=red, answered red"),
    "beside": ("Any", "AttributeError: 'str' object has no attribute 'value'; sent []"),
}
same = True
print("openapi-generator-cli 7.26.0, generator python; python", sys.version.split()[0])
for name, (wanted, outcome) in expected.items():
    parameter, of_model, seen = tried(f"{name}_client", f"http://127.0.0.1:{server.server_port}")
    print(f"$ref {name:6}: parameter {parameter}, property {of_model}; paint(colour=\"red\"): {seen}")
    same &= (parameter, seen) == (wanted, outcome) and "Colour" in of_model
print("as described: a description beside a parameter's $ref takes its type away" if same else "THE BEHAVIOUR HAS CHANGED")
sys.exit(0 if same else 1)
PYTHON
PYTHONPATH="$folder/alone:$folder/beside" "$folder/venv/bin/python" "$folder/experiment.py"
