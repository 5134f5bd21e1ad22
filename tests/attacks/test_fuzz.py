"""Whatever is sent to whatever address: an answer, never a 5xx, never a traceback, and always our headers."""

from typing import Any
from urllib.parse import quote, quote_from_bytes

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.world.paths import ALWAYS, paths
from tests.world.provider import BANK_URI, PASSWORD, Provider
from tests.world.stage import own_token

NAMES = [
    *(
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "prompt",
        "max_age",
        "claims",
        "resource",
    ),
    *("code_challenge", "code_challenge_method", "response_mode", "id_token_hint", "acr_values", "ui_locales"),
    *("grant_type", "code", "code_verifier", "refresh_token", "client_secret", "client_assertion", "token", "request"),
    *("client_assertion_type", "username", "password", "csrf", "decision", "account", "language", "here", "label"),
    *("codes", "saved", "session", "client", "repeat", "access_token", "post_logout_redirect_uri", "done"),
]
GOOD = [
    *(
        "bank",
        "mobile",
        "shop",
        BANK_URI,
        "code",
        "openid",
        "openid transfers:write",
        "none",
        "login",
        "S256",
        "a" * 43,
    ),
    *("form_post", "authorization_code", "refresh_token", "client_credentials", "alice", PASSWORD, "123456", "allow"),
    *("en", "/account", "sign_out", "1", "0", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
]
NASTY = [
    *(
        "",
        " ",
        "\x00",
        "\ud800",
        "\r\nX: y",
        '"\\<script>',
        "ü",
        "\uff19",
        "9" * 3000,
        "[" * 3000,
        "null",
        "{}",
        "a.b.c",
    ),
    *("eyJhbGciOiJub25lIn0.e30.", '{"id_token":{"acr":{"essential":true,"values":[null]}}}', "//evil.example", "%"),
    *('{"id_token":{"sub":{"value":{}}}}', "-1", "1e999", "\u202e", "\uffff", "A" * 9000, "=" * 50, "&" * 50),
]
VALUES = st.one_of(st.sampled_from(GOOD), st.sampled_from(NASTY), st.text(max_size=30))
FIELDS = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=8)), VALUES), max_size=9)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "authorization",
            "cookie",
            "origin",
            "sec-fetch-site",
            "content-type",
            "accept-language",
            "x-forwarded-for",
            "content-length",
            "user-agent",
            "referer",
            "host",
            "transfer-encoding",
            "forwarded",
            "accept",
            "x-request-id",
        ]
    ),
    st.one_of(
        st.sampled_from(
            [
                b"Bearer x",
                b"Basic YTpi",
                b"Basic \xff",
                b"stile=x",
                b"stile=" + b"0" * 32 + b".x",
                b"null",
                b"cross-site",
                b"application/json",
                b"application/x-www-form-urlencoded; charset=utf-16",
                b"99999999999999999999",
                b"-1",
                b"de;q=\xff, *;q=x",
                b"1.2.3.4, nonsense, ::1",
                b"stile-device=a.b.c; stile-language=..",
                b"gzip",
            ]
        ),
        st.binary(max_size=40).map(lambda raw: bytes(byte for byte in raw if byte >= 32)),
    ),
    max_size=4,
)
RAW = st.binary(max_size=60)


def encoded(fields: list[tuple[str, str]]) -> str:
    return "&".join("=".join(quote(part.encode("utf-8", "surrogatepass"), safe="") for part in pair) for pair in fields)


async def call(
    provider: Provider, method: str, path: str, query: str, body: bytes, headers: Any
) -> tuple[int, dict[str, str], bytes]:
    """One request as raw ASGI: no client library has a say in what may be sent."""
    given_headers = {b"content-type": b"application/x-www-form-urlencoded", b"host": b"localhost:8000"}
    given_headers |= {name.encode(): value for name, value in headers.items()}
    sent = iter([{"type": "http.request", "body": body, "more_body": False}])
    got: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return next(sent, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            got["status"], got["headers"] = message["status"], message["headers"]
        else:
            got["body"] += message.get("body", b"")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": list(given_headers.items()),
        "client": ("192.0.2.200", 40000),
        "server": ("localhost", 8000),
    }
    await provider.app(scope, receive, send)
    return got["status"], {name.decode(): value.decode("latin-1") for name, value in got["headers"]}, got["body"]


def judge(status: int, headers: dict[str, str], body: bytes) -> None:
    assert 200 <= status < 500
    assert status not in {301, 302, 307, 308}
    for name, value in ALWAYS.items():
        assert headers[name] == value
    assert "default-src 'none'" in headers["content-security-policy"]
    assert b"Traceback" not in body
    assert b"<script>" not in body or "script-src 'sha256-" in headers["content-security-policy"]
    assert not headers.get("location", "").startswith(("//", "https://evil", "http://evil"))
    assert all(letter >= " " for value in headers.values() for letter in value)


async def test_no_request_of_any_shape_breaks_the_provider(provider: Provider) -> None:
    known = sorted({path for path, _ in paths(provider)})
    browser = provider.browser(address="192.0.2.200")
    page = await browser.get(provider.authorize_url())
    known += [
        page.url.path + ending for ending in ("", "/password", "/sms", "/totp", "/consent", "/account", "/cancel")
    ]
    cookie = f"stile={browser.token}".encode()
    methods = ["GET", "POST", "POST", "POST", "HEAD", "PUT", "OPTIONS", "BREW"]

    @settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(
        st.one_of(st.sampled_from(known), st.text(max_size=20).map(lambda text: "/" + text)),
        st.sampled_from(methods),
        FIELDS,
        FIELDS,
        HEADERS,
        st.booleans(),
        RAW,
    )
    @example(
        "/authorize", "GET", [("client_id", "bank"), ("redirect_uri", BANK_URI), ("state", "\ud800")], [], {}, True, b""
    )
    @example("/static/" + "a" * 300 + ".css", "GET", [], [], {}, False, b"")
    @example("/token", "POST", [], [("grant_type", "\x00")], {"authorization": b"Basic \xff"}, False, b"")
    def fuzz(
        path: str,
        method: str,
        query: list[tuple[str, str]],
        form: list[tuple[str, str]],
        headers: dict[str, bytes],
        ours: bool,
        raw: bytes,
    ) -> None:
        cases.append((path, method, query, form, headers, ours, raw))

    cases: list[Any] = []
    fuzz()
    assert len(cases) >= 400
    for path, method, query, form, headers, ours, raw in cases:
        if ours and path in known:
            form = [*own_token(provider, browser, path).items(), *form]  # noqa: PLW2901
            headers = {"cookie": cookie, **headers}  # noqa: PLW2901
        body = encoded(form).encode() if form else quote_from_bytes(raw).encode() or raw
        answer = await call(provider, method, path, encoded(query), body, headers)
        try:
            judge(*answer)
        except AssertionError as error:
            raise AssertionError((method, path, query, form, headers, answer[0], answer[1])) from error
