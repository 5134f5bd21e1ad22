"""Redirect URIs are compared letter by letter (B3, B4, OAU-01)."""

import pytest

from idp.oidc.redirects import home, is_registered, leads_on, problem

REGISTERED = ("https://bank.example/cb", "http://127.0.0.1/cb", "http://[::1]:9/cb?x=1", "http://localhost/cb")

VARIANTS = [
    "https://BANK.example/cb",
    "HTTPS://bank.example/cb",
    "https://bank.example/CB",
    "https://bank.example:443/cb",
    "https://bank.example:8443/cb",
    "https://bank.example/cb/",
    "https://bank.example/cb/x",
    "https://bank.example/x/../cb",
    "https://bank.example/./cb",
    "https://bank.example//cb",
    "https://bank.example/%63b",
    "https://bank.example/cb%2e",
    "https://bank.example/cb%00",
    "https://bank.example/cb\x00",
    "https://bank.example/cb\n",
    "https://bank.example/cb ",
    " https://bank.example/cb",
    "https://user@bank.example/cb",
    "https://bank.example@evil.example/cb",
    "https://bank.example.evil.example/cb",
    "https://evil.example/https://bank.example/cb",
    "https://bank.example/cb#",
    "https://bank.example/cb#x",
    "https://bank.example/cb?",
    "https://bank.example/cb?x=1",
    "https://bänk.example/cb",
    "https://xn--bnk-qla.example/cb",
    "http://bank.example/cb",
    "https://bank.example/c",
    "https://bank.example",
    "//bank.example/cb",
    "javascript:alert(1)//https://bank.example/cb",
    'https://bank.example/cb"',
    "https:\\\\bank.example\\cb",
    "",
]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_not_the_registered_uri(variant: str, native: bool) -> None:
    assert not is_registered(variant, REGISTERED, native=native)


@pytest.mark.parametrize("uri", REGISTERED)
def test_the_registered_uri_itself_is(uri: str) -> None:
    assert is_registered(uri, REGISTERED, native=False)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://[::1]:8/cb?x=1", "http://[::1]/cb?x=1"]
)
def test_a_native_client_may_vary_the_port_of_a_loopback_address(uri: str) -> None:
    assert is_registered(uri, REGISTERED, native=True)
    assert not is_registered(uri, REGISTERED, native=False)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:80/cb/",
        "http://127.0.0.1:80/cb?x=1",
        "http://127.0.0.1:80/cb#x",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:123456/cb",
        "http://127.0.0.1:80@evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.2:80/cb",
        "http://127.1:80/cb",
        "https://127.0.0.1:80/cb",
        "http://localhost:80/cb",
        "http://[::1]:8/cb?x=2",
        "http://[::1]:8/cb",
        "http://127.0.0.1:8\uff10/cb",
        "http://127.0.0.1:80/cb\n",
    ],
)
def test_nothing_but_the_port_may_vary(uri: str) -> None:
    assert not is_registered(uri, REGISTERED, native=True)


@pytest.mark.parametrize(
    "uri", ["https://a.example/cb", "https://a.example:8443/cb?x=%20&y", "http://localhost:8001/cb", "http://[::1]/"]
)
def test_an_honest_uri_may_be_registered(uri: str) -> None:
    assert problem(uri, native=False) is None


def test_a_private_scheme_is_for_native_clients() -> None:
    assert problem("com.example.app:/cb", native=True) is None
    assert problem("com.example.app:/cb", native=False) is not None


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://a.example/cb#x",
        "https://a.example/cb#",
        "http://a.example/cb",
        "https:///cb",
        "https://u:p@a.example/",
        "https://a.example/c b",
        "https://a.example/ü",
        'https://a.example/"',
        "https://a.example/\\x",
        "https://[::1/cb",
        "https://a.example:x/cb",
        "/cb",
        "",
    ],
)
def test_i2_and_i4_a_dangerous_or_broken_uri_may_not_be_registered(uri: str, native: bool) -> None:
    assert problem(uri, native=native)


def test_a_form_leads_on_to_the_web_and_to_the_clients_own_app() -> None:
    registered = {"https://a.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"}
    assert leads_on("https://a.example/cb", registered) == ("https://a.example/cb", "com.example.app:/cb")


def test_an_application_lives_where_all_its_web_addresses_are() -> None:
    assert home(["https://a.example/cb", "https://a.example/other", "com.example.app:/cb"]) == "https://a.example/"
    for unclear in ([], ["com.example.app:/cb"], ["https://a.example/cb", "https://b.example/cb"]):
        assert home(unclear) is None
