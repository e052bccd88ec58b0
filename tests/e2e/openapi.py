"""An OpenAPI document held against itself, against the table of routes, and against what a program answers."""
import copy
import json
import pathlib
import re

import jsonschema
import yaml

TOP = pathlib.Path(__file__).resolve().parents[2]
METHODS = ("get", "post", "put", "patch", "delete")
ROUTE = re.compile(r'{HTTP_(\w+),\s*"([^"]+)",\s*ROUTE_(\w+),\s*(\w+),\s*\w+,\s*(NULL|"[^"]*")}')


def routes(directory):
    """{(method, path): (access, takes a body, names of the query)} as routes.c has them."""
    text = (TOP / directory / "routes.c").read_text()
    table = text[text.index("routes[] = {"):text.index("};")]
    found = {(m.lower(), path): (access, body != "0", query.replace("NULL", "").strip('"').split())
             for m, path, access, body, query in ROUTE.findall(table)}
    assert len(found) == table.count("HTTP_"), "a route that is not understood"
    return found


def strict(schema):
    """The same, refusing members that are not named: what is answered must be documented."""
    if isinstance(schema, dict):
        schema = {k: strict(v) for k, v in schema.items()}
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        schema = [strict(x) for x in schema]
    return schema


class Document:
    def __init__(self, text):
        self.doc = yaml.safe_load(text)
        self.strict_components = strict(copy.deepcopy(self.doc["components"]["schemas"]))
        self.answered = set()

    def resolve(self, x):
        """Follows a $ref to a response, parameter or the like."""
        if "$ref" not in x:
            return x
        found = self.doc
        for part in x["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def operations(self):
        """{(method, path): (operation, its parameters with those of the path)}"""
        return {(m, path): (item[m], [self.resolve(p) for p in item.get("parameters", []) + item[m].get("parameters", [])])
                for path, item in self.doc["paths"].items() for m in METHODS if m in item}

    def check_shape(self):
        assert re.fullmatch(r"3\.1\.\d+", self.doc["openapi"]) and self.doc["info"]["title"] and self.doc["servers"]
        ids = [op["operationId"] for op, _ in self.operations().values()]
        assert len(ids) == len(set(ids)), "an operationId comes twice"
        tags = {t["name"] for t in self.doc["tags"]}
        for where, (op, parameters) in self.operations().items():
            assert op["summary"] and op["tags"] and tags.issuperset(op["tags"]), where
            assert "default" in op["responses"] and any(s.startswith("2") for s in op["responses"]), where
            assert all(self.resolve(r)["description"] for r in op["responses"].values()), where
            in_path = {p["name"] for p in parameters if p["in"] == "path" and p["required"] is True}
            assert in_path == set(re.findall(r"{(\w+)}", where[1])), where
            assert all("schema" in p for p in parameters), where
        self.check_references()
        for name, schema in self.doc["components"]["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            assert self.refers(f"#/components/schemas/{name}"), f"{name} is used nowhere"

    def check_references(self):
        def walk(x):
            if isinstance(x, dict):
                self.resolve(x)
                for v in x.values():
                    walk(v)
            elif isinstance(x, list):
                for v in x:
                    walk(v)
        walk(self.doc)

    def refers(self, to):
        return json.dumps({"$ref": to})[1:-1] in json.dumps(self.doc)

    def check_routes(self, directory):
        """Each route of the table is an operation and the reverse, with its query, body and token."""
        security = {"ALWAYS": [], "OPEN": [], "APP": self.doc["security"], "CENTRE": [{"centre": []}]}
        security |= {role.upper(): [{"token": [role]}, {"session": [role]}] for role in ("viewer", "operator", "admin")}
        table, operations = routes(directory), self.operations()
        assert table.keys() == operations.keys(), sorted(table.keys() ^ operations.keys())
        for where, (access, body, query) in table.items():
            op, parameters = operations[where]
            assert {p["name"] for p in parameters if p["in"] == "query"} == set(query), where
            assert ("requestBody" in op) == body, where
            assert op.get("security", self.doc["security"]) == security[access], where

    def schema(self, schema):
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **strict(schema),
                "components": {"schemas": self.strict_components}}

    def check_answer(self, method, path, reply):
        """The reply is one that is documented for this operation, member for member."""
        op, _ = self.operations()[(method, path)]
        response = self.resolve(op["responses"].get(str(reply.status), op["responses"]["default"]))
        media = reply.headers["Content-Type"].split(";")[0]
        assert media in response["content"], (method, path, reply.status, media)
        if "schema" not in response["content"][media]:  # bytes
            self.answered.add((method, path))
            return
        validator = jsonschema.Draft202012Validator(self.schema(response["content"][media]["schema"]))
        if media.endswith("ndjson"):
            values = [json.loads(line) for line in reply.body.splitlines()]
        else:
            values = [reply.json if "json" in media else reply.body.decode()]
        for value in values:
            errors = [e.message for e in validator.iter_errors(value)]
            assert not errors, (method, path, reply.status, errors, value)
        if reply.status < 300:
            self.answered.add((method, path))

    def check_all_answered(self):
        missing = self.operations().keys() - self.answered
        assert not missing, f"never answered well in this test: {sorted(missing)}"
