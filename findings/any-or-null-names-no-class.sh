#!/usr/bin/env bash
# "Anything, or null" becomes a class that nobody writes: openapi-generator-cli 7.26.0, generator java.
#
# What is given: two documents of OpenAPI 3.1 that differ in one property, `level`, which has values of more than one type. In
# the first its schema is empty, in the second `anyOf` of an empty schema and `null`: what pydantic 2 and FastAPI write for
# a field of type `Any | None`.
#
# What happens: from the first the property is an `Object`. From the second the model imports `AnyOf` from the package of
# its models, has a field of that type, and no such class is among the files. The generator ends with 0; the first thing
# that fails is the compiler.
#
# Why a good guess is wrong:
#  - An empty schema takes everything, null among it: the two documents mean the same, and the second looks like the safer way
#    to say that the field may be absent.
#  - `anyOf` of a typed schema and `null` is read as that type, nullable, in the same document (`name`).
# The cure in a document is to leave the null away where everything is taken.
#
# Needs java on the PATH. Ends with 0 as long as the behaviour is as described, with 1 when it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openapi-generator-cli==7.26.0 >"$folder/pip.log" 2>&1 ||
  { cat "$folder/pip.log" >&2; exit 2; }

generate() { # name, schema of `level`
  cat >"$folder/$1.json" <<JSON
{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}, "components": {"schemas": {"Item": {
  "type": "object", "properties": {"name": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "level": $2}}}}}
JSON
  "$folder/venv/bin/openapi-generator-cli" generate -i "$folder/$1.json" -g java --library native -o "$folder/$1" \
    >"$folder/$1.log" 2>&1 || { tail -20 "$folder/$1.log" >&2; exit 2; }
}
generate empty '{}'
generate empty-or-null '{"anyOf": [{}, {"type": "null"}]}'

type_of() { # the type of a field of Item
  find "$folder/$1/src/main" -name Item.java -exec grep -hoE "private [A-Za-z<>.]+ $2\b" {} + | head -1 | cut -d' ' -f2
}
classes=$(find "$folder/empty-or-null/src/main" -name 'AnyOf.java' | wc -l)
echo "openapi-generator-cli 7.26.0, generator java"
echo "empty schema:             level is $(type_of empty level), name is $(type_of empty name)"
echo "empty schema or null:     level is $(type_of empty-or-null level), name is $(type_of empty-or-null name)"
echo "files named AnyOf.java:   $classes"
[[ $(type_of empty level) == *Object* && $(type_of empty-or-null level) == *AnyOf* && $classes == 0 ]] ||
  { echo "the behaviour has changed" >&2; exit 1; }
