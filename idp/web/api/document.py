"""The description of the API (OpenAPI 3.1), made from the table of endpoints: it tells of nothing else."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from idp.policy import OPERATING
from idp.web.api.endpoints import Endpoint
from idp.web.api.problems import API, KIND

_REF = "#/components/schemas/{name}"
_HEAD = """What an operator does, for programs: people, applications, policy, keys, messages, the audit trail.

Each address needs an access token of this provider with the scope that it names. A person's token does what the role of
their group may, looked up at every request, and takes a proof as fresh as the policy says of the scope; a machine's
(client_credentials) does what `machine = true` rows of the policy give it, and touches nobody who has a role.

Every refusal is problem details (RFC 9457). Lists are pages: `next` is `after` of the next one. What was shown with an
`ETag` is changed with `If-Match`. Every POST takes an `Idempotency-Key`: for 24 hours the same request with the same
key is done once and answered again, without the secrets of the first answer."""
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:stile:problem: and what it is, for programs."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do, for who reads."},
        "errors": {
            "type": "array",
            "description": "Each mistake, and where it is: a JSON pointer into the body, or a parameter.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_REFUSED = {
    "400": "Unreadable.",
    "401": "No token, one that is not valid, or a proof behind it that is too weak or too old (RFC 9470).",
    "403": "The token lacks the scope, or its person the role.",
    "429": "Too often: again after the seconds that Retry-After says.",
    "503": "Not now: try again.",
}
_MORE = {
    "404": "Nothing is here.",
    "409": "There is one already, it cannot be done now, or the first request with this key is not answered.",
    "412": "Somebody else changed it: look again.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "It cannot be taken, or the Idempotency-Key was used for another request.",
    "428": "If-Match is missing.",
}


def document(endpoints: Sequence[Endpoint], *, issuer: str, version: str) -> dict[str, Any]:
    """The OpenAPI document for a provider of this issuer."""
    types = [kind for each in endpoints for kind in (each.query, each.takes, each.answers) if kind is not None]
    distinct = list({repr(kind): kind for kind in types}.values())
    schemas, components = msgspec.json.schema_components(distinct, ref_template=_REF)
    named = dict(zip((repr(kind) for kind in distinct), schemas, strict=True))
    queries = {each.query.__name__ for each in endpoints}
    paths: dict[str, dict[str, Any]] = {}
    for each in endpoints:
        there = paths.setdefault(plain(each.path), {})
        there[each.method.lower()] = _operation(each, named, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stile", "version": version, "description": _HEAD},
        "servers": [{"url": issuer + API}],
        "security": [{"oauth": []}],
        "paths": paths,
        "components": {
            "schemas": {
                **{name: schema for name, schema in components.items() if name not in queries},
                "Problem": _PROBLEM,
            },
            "securitySchemes": {"oauth": _oauth(issuer)},
        },
    }


def plain(path: str) -> str:
    """An address without what Starlette is told of its parts."""
    return re.sub(r":\w+\}", "}", path)


def _oauth(issuer: str) -> dict[str, Any]:
    scopes = dict.fromkeys(sorted(OPERATING), "See docs/administration.md.")
    token = f"{issuer}/token"
    return {
        "type": "oauth2",
        "flows": {
            "clientCredentials": {"tokenUrl": token, "scopes": scopes},
            "authorizationCode": {"authorizationUrl": f"{issuer}/authorize", "tokenUrl": token, "scopes": scopes},
        },
    }


def _operation(each: Endpoint, named: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [plain(each.path).split("/")[1]],
        "security": [{"oauth": [scope]} for scope in each.scopes],
        "responses": {str(each.status if each.answers is not None else 204): _answer(each, named)},
    }
    if each.text:
        made["description"] = each.text
    if parameters := [*_in_path(each), *_in_query(each, components), *_headers(each)]:
        made["parameters"] = parameters
    if each.takes is not None:
        content = {"application/json": {"schema": named[repr(each.takes)]}}
        needed = any(field.required for field in msgspec.structs.fields(each.takes))
        made["requestBody"] = {"required": needed, "content": content}
    if each.versioned and each.method == "GET":
        made["responses"]["304"] = {"description": "It is as the If-None-Match says that it was seen."}
    content = {KIND: {"schema": {"$ref": _REF.format(name="Problem")}}}
    for status, said in {**_REFUSED, **_may_be(each)}.items():
        made["responses"][status] = {"description": said, "content": content}
    return made


def _may_be(each: Endpoint) -> dict[str, str]:
    sent = each.takes is not None
    may = {
        "404": "{" in each.path or sent or each.method == "GET",
        "409": each.method != "GET",
        "412": each.versioned and each.method != "GET",
        "413": True,
        "415": sent,
        "422": True,
        "428": each.guarded,
    }
    return {status: said for status, said in _MORE.items() if may[status]}


def _answer(each: Endpoint, named: dict[str, Any]) -> dict[str, Any]:
    if each.answers is None:
        return {"description": "Done."}
    once = f" Given this once: {', '.join(each.secrets)}." if each.secrets else ""
    made: dict[str, Any] = {
        "description": f"Done.{once}",
        "content": {"application/json": {"schema": named[repr(each.answers)]}},
    }
    headers = {}
    if each.versioned:
        headers["ETag"] = {"description": "The version, for If-Match.", "schema": {"type": "string"}}
    if each.status == 201:
        headers["Location"] = {"description": "Where it is.", "schema": {"type": "string"}}
    return made | ({"headers": headers} if headers else {})


def _in_path(each: Endpoint) -> Iterator[dict[str, Any]]:
    for name, kind in re.findall(r"\{(\w+)(?::(\w+))?\}", each.path):
        schema = {"type": "string", "format": "uuid"} if kind == "uuid" else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(each: Endpoint, components: dict[str, Any]) -> Iterator[dict[str, Any]]:
    schema = components.get(each.query.__name__, {})
    for name, of in schema.get("properties", {}).items():
        told = {key: value for key, value in of.items() if key not in {"description", "default"}}
        if "anyOf" in told:  # what is left out is not sent as null
            left = [one for one in told["anyOf"] if one != {"type": "null"}]
            told = left[0] if len(left) == 1 else {"anyOf": left}
        said = told.pop("description", of.get("description"))
        made = {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": told}
        yield made | ({"description": said} if said else {})


def _headers(each: Endpoint) -> Iterator[dict[str, Any]]:
    text = {"type": "string"}
    if each.method == "POST":
        said = "Done once for each key, in 24 hours."
        schema = {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"}
        yield {"name": "Idempotency-Key", "in": "header", "description": said, "schema": schema}
    if each.versioned and each.method == "GET":
        yield {"name": "If-None-Match", "in": "header", "description": "The ETag that was seen.", "schema": text}
    if each.versioned and each.method != "GET":
        said = "The ETag that was seen; `*` for whatever it is now."
        yield {"name": "If-Match", "in": "header", "required": each.guarded, "description": said, "schema": text}
