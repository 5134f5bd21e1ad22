"""Where a path leads is known by heart: it is where trying the routes in order would lead."""

import pytest
from starlette.routing import Match, Mount

from idp.web.routes import Doors, routes


@pytest.mark.parametrize("issuer", ["https://id.example", "https://example/auth"])
def test_a_path_known_by_heart_leads_where_trying_would(issuer: str) -> None:
    whole = Doors(routes(issuer))
    below = [each.app for each in whole.routes if isinstance(each, Mount)]
    assert len(below) == issuer.endswith("/auth")
    known = 0
    for doors in (whole, *below):
        assert isinstance(doors, Doors)
        for (method, path), route in doors._by_heart.items():
            asked = {"type": "http", "method": method, "path": path}
            tried = next(each for each in doors.routes if each.matches(asked)[0] is Match.FULL)
            assert tried is route
            known += 1
    assert known > 100
