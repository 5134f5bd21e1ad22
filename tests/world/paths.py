"""Every path of ours, and the headers of every answer."""

import re
from collections.abc import Iterator

from starlette.routing import BaseRoute, Mount, Route

from tests.world.provider import Provider

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}


def every_route(routes: list[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Mount):
            yield from every_route(list(route.routes))
        elif isinstance(route, Route):
            yield route


def paths(provider: Provider) -> list[tuple[str, set[str]]]:
    """Every path of ours, filled in, with its methods."""
    fill = {"{id:uuid}": "3b241101-e2bb-4255-8caf-4136c566a962", "{factor:factor}": "sms", "{name}": "stile.css"}
    fill |= {
        "{gateway}": "fake",
        "{attempt}": fill["{id:uuid}"],
        "{key}": "0" * 32,
        "{token}": "0" * 43,
        "{key:device}": "0" * 64,
        "{id:int}": "1",
    }
    found = []
    for route in every_route(list(provider.app.routes)):
        path = route.path
        for name, value in fill.items():
            path = path.replace(name, value)
        path = re.sub(r"\{[^}]*:path\}", "", path)
        path = re.sub(r"\{\w+:uuid\}", fill["{id:uuid}"], path)
        path = re.sub(r"\{[a-z_]+\}", "bank", path)
        assert "{" not in path, path
        found.append((path, route.methods or set()))
    assert len(found) > 30
    return found
