"""Holes that attacks on sign-in and tokens found, and that were mended: none of them opens again."""

import pytest

from tests.stage import MOBILE_URI
from tests.support import Provider


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(before + b"stile" + after, id=f"{before!r} {after!r}")
        for before, after in ((b"\xa0", b""), (b"\x85", b""), (b"\x1c", b""), (b"\x0b", b""), (b"", b"\xa0"))
    ],
)
async def test_a_cookie_of_almost_our_name_is_not_ours(provider: Provider, name: bytes) -> None:
    """`__Host-` keeps sibling hosts from setting ours. Chromium lets them set the same name after a byte 0xA0, which
    was taken off like a blank: whoever owned such a host put their own session under somebody else's browser."""
    mallory = provider.browser()
    await provider.sign_in(mallory, "bob")
    assert mallory.token is not None
    async with provider.browser().http as alice:
        tossed = await alice.get("/account", headers=[(b"cookie", name + b"=" + mallory.token.encode())])
        assert tossed.status_code == 303
        assert tossed.headers["location"].startswith("/i/")
        ours = await alice.get("/account", headers=[(b"cookie", b"a=b; stile=" + mallory.token.encode() + b"; c")])
        assert ours.status_code == 200


async def test_a_cookie_that_comes_twice_is_nobodys(provider: Provider) -> None:
    """Which one is ours, nobody can tell: not the one that a neighbour on this machine gave another path."""
    mallory, alice = provider.browser(), provider.browser()
    await provider.sign_in(mallory, "bob")
    await provider.sign_in(alice)
    async with provider.browser().http as http:
        for first, second in ((mallory, alice), (alice, mallory)):
            headers = {"cookie": f"stile={first.token}; stile={second.token}"}
            assert (await http.get("/account", headers=headers)).status_code == 303


@pytest.mark.parametrize("port", ["0", "65536", "99999", "080"])
async def test_a_port_that_there_is_not_is_no_redirect_uri(provider: Provider, port: str) -> None:
    """A native application may vary the port; one above 65535 was taken, and broke every page of its request."""
    uri = MOBILE_URI.replace("127.0.0.1", f"127.0.0.1:{port}")
    for changes in ({}, {"prompt": "none", "response_mode": "form_post"}, {"response_type": "token"}):
        answer = await provider.browser().get(provider.authorize_url("mobile", redirect_uri=uri, **changes))
        assert (answer.status_code, answer.headers.get("location")) == (400, None), answer.url
