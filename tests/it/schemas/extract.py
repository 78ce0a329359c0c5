"""Takes out of a swagger file of the Docker Engine API what the tests check: names, types, what is required, which
answers there are. Descriptions and examples stay behind.

Use: extract.py engine-api-v1.41.yaml > v1.41.json
"""

import json
import sys

import yaml

KEEP = ("type", "required", "enum", "$ref", "x-nullable", "minimum", "maximum")


def schema(node):
    """Reduces one schema."""
    out = {key: node[key] for key in KEEP if key in node}
    if "properties" in node:
        out["properties"] = {name: schema(of) for name, of in (node["properties"] or {}).items()}
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            out[key] = schema(node[key])
    if "allOf" in node:
        out["allOf"] = [schema(part) for part in node["allOf"]]
    return out


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        api = yaml.safe_load(file)
    answers = {}
    for path, methods in api["paths"].items():
        for method, operation in methods.items():
            # Parameters may stand beside the methods, for all of them.
            if method == "parameters":
                continue
            # The statuses are numbers in these files.
            of = {str(status): schema(answer["schema"]) for status, answer in operation["responses"].items() if "schema" in answer}
            answers[f"{method.upper()} {path}"] = of
    definitions = {name: schema(of) for name, of in api["definitions"].items()}
    parts = []
    for title, entries in (("answers", answers), ("definitions", definitions)):
        lines = [f"{json.dumps(name)}: {json.dumps(of, separators=(',', ':'))}" for name, of in sorted(entries.items())]
        parts.append(f'"{title}": {{\n' + ",\n".join(lines) + "\n}")
    print("{\n" + ",\n".join(parts) + "\n}")


main()
