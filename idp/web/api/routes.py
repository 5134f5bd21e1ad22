"""The addresses of the API: every row of its tables, their methods, and the document that describes them."""

import json
from collections import defaultdict
from functools import lru_cache
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.web.api import audit, checkup, clients, factors, logos, overview, people, policy, presence, sending
from idp.web.api.answering import answered
from idp.web.api.document import document
from idp.web.api.endpoints import Endpoint
from idp.web.api.problems import API
from idp.web.door import idp_of

ENDPOINTS: tuple[Endpoint, ...] = (
    *people.ENDPOINTS,
    *presence.ENDPOINTS,
    *factors.ENDPOINTS,
    *clients.ENDPOINTS,
    *logos.ENDPOINTS,
    *policy.ENDPOINTS,
    *sending.ENDPOINTS,
    *audit.ENDPOINTS,
    *checkup.ENDPOINTS,
    *overview.ENDPOINTS,
)
DOCUMENT = f"{API}/openapi.json"


@lru_cache(maxsize=2)
def _described(issuer: str) -> bytes:
    return json.dumps(document(ENDPOINTS, issuer=issuer, version=version("stile-idp"))).encode()


async def api_document(request: Request) -> Response:
    """GET /api/v1/openapi.json: what there is, for anybody."""
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(_described(idp_of(request).issuer), 200, headers, "application/json")


def _options(path: str, methods: str) -> Route:
    async def api_options(request: Request) -> Response:  # noqa: ARG001 - all is said in the header
        """OPTIONS: what this address takes (RFC 9110 9.3.7). No page of another site may read it."""
        return Response(None, 204, {"Allow": methods, "Cache-Control": "no-store"})

    return Route(path, api_options, methods=["OPTIONS"])


def _routes() -> list[Route]:
    made = [Route(DOCUMENT, api_document, methods=["GET"])]
    methods: dict[str, set[str]] = defaultdict(lambda: {"OPTIONS"})
    methods[DOCUMENT] |= {"GET", "HEAD"}
    for each in ENDPOINTS:
        made.append(Route(API + each.path, answered(each), methods=[each.method]))
        methods[API + each.path] |= {each.method, "HEAD"} if each.method == "GET" else {each.method}
    for path, there in methods.items():
        made.append(_options(path, ", ".join(sorted(there))))
    return made


ROUTES = _routes()
