"""Whatever is sent: an answer that the description tells of, never a 5xx. Requests are made of the description."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from idp.web.api.document import document
from idp.web.api.routes import ENDPOINTS
from tests.world.api import calling, machine_token, with_roles
from tests.world.provider import ISSUER, Provider

_DESCRIBED = openapi.from_dict(document(ENDPOINTS, issuer=ISSUER, version="0"))
_OPERATIONS = [found.ok() for found in _DESCRIBED.get_all_operations() if isinstance(found, Ok)]
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_CASES = st.sampled_from(_OPERATIONS).flatmap(
    lambda operation: st.sampled_from(_MODES).flatmap(lambda mode: operation.as_strategy(generation_mode=mode))
)
pytestmark = pytest.mark.xdist_group("schemathesis")  # the second looks at what the first did
_SEEN: Counter[int] = Counter()
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
async def token(provider: Provider) -> str:
    with_roles(provider)
    return await machine_token(provider)


@given(case=_CASES)
@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
async def test_every_answer_is_one_that_was_described(provider: Provider, token: str, case: Case[Any]) -> None:
    sent: dict[str, Any] = case.as_transport_kwargs(base_url=f"{ISSUER}/api/v1")
    given_ = {name: sent[name] for name in ("params", "json") if sent.get(name) is not None}
    content = {"content": sent["data"]} if sent.get("data") is not None else {}
    headers = {name: str(value) for name, value in (sent.get("headers") or {}).items()}
    headers["Authorization"] = f"Bearer {token}"
    async with calling(provider, token) as http:
        answer = await http.request(sent["method"], sent["url"], headers=headers, **given_, **content)
    _SEEN[answer.status_code] += 1
    assert answer.status_code != 401, answer.text
    case.validate_response(answer, checks=_CHECKS)


def test_it_looked_at_answers_of_every_kind() -> None:
    assert {200, 400, 404, 422} <= set(_SEEN), _SEEN
