"""Whose address counts, however proxies and dual-stack listeners write it."""

from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.requests import Request

from idp.crypto import KeyChain
from idp.settings import read_settings
from idp.web.address import address, is_loopback
from tests.world.databases import empty
from tests.world.provider import BANK_URI, Provider
from tests.world.running import running, settings_for

PROXY = "10.0.0.1"
TRUSTED = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def seen(*forwarded: str, peer: str = PROXY) -> str:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    return address(Request({"type": "http", "client": (peer, 40000), "headers": headers}), TRUSTED)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("203.0.113.7", "203.0.113.7", id="plain"),
        pytest.param("203.0.113.7:51000", "203.0.113.7", id="with a port, as Azure's gateway"),
        pytest.param("[2001:db8::7]:51000", "2001:db8::7", id="IPv6 with a port"),
        pytest.param("[2001:db8::7]", "2001:db8::7", id="IPv6 in brackets"),
        pytest.param("2001:DB8:0:0::7", "2001:db8::7", id="IPv6 written at length"),
        pytest.param("::ffff:203.0.113.7", "203.0.113.7", id="mapped IPv4"),
        pytest.param("[::ffff:cb00:7107]:51000", "203.0.113.7", id="mapped IPv4 in hexadecimal, with a port"),
        pytest.param("fe80::7%eth0", "fe80::7", id="a zone"),
        pytest.param("[fe80::7%25eth0]:51000", "fe80::7", id="a zone as URLs write it, with a port"),
        pytest.param('"[2001:db8::7]:51000"', "2001:db8::7", id="quoted"),
        pytest.param('"203.0.113.7"', "203.0.113.7", id="quoted IPv4"),
        pytest.param(" ,203.0.113.7 ,, ", "203.0.113.7", id="empty elements"),
        pytest.param(
            "198.51.100.1, 203.0.113.7, 10.9.9.9:80", "203.0.113.7", id="several proxies, the last with a port"
        ),
    ],
)
def test_an_address_is_read_as_proxies_write_it(written: str, meant: str) -> None:
    assert seen(written) == meant


NO_ADDRESS = ("unknown", "_hidden", "203.0.113.7:", "203.0.113.7:x", "[203.0.113.7", "2001:db8::7]:1", '"', "a" * 99)


@pytest.mark.parametrize("written", ["", ",", *NO_ADDRESS, "1" * 5000])
def test_what_is_no_address_is_nobody_elses(written: str) -> None:
    assert seen(f"203.0.113.9, {written}" if written.strip(",") else written) == PROXY


@pytest.mark.parametrize("peer", ["::ffff:10.0.0.1", "::ffff:a00:1", "10.0.0.1", "fd00::1", "fd00::1%eth0"])
def test_a_trusted_proxy_is_known_on_a_dual_stack_listener(peer: str) -> None:
    assert seen("203.0.113.7", peer=peer) == "203.0.113.7"


def test_a_mapped_visitor_is_its_ipv4() -> None:
    assert seen(peer="::ffff:203.0.113.7") == "203.0.113.7"
    assert seen("198.51.100.1", peer="::ffff:203.0.113.7") == "203.0.113.7"  # no proxy of ours wrote that


def test_this_machine_is_known_by_every_name() -> None:
    for peer in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"):
        assert is_loopback(peer)
        assert is_loopback(seen(peer=peer))
    for peer in ("10.0.0.1", "::", "::ffff:10.0.0.1", "unknown", "testclient"):
        assert not is_loopback(peer)


@pytest.mark.parametrize("named", ["::ffff:10.0.0.0/104", "::ffff:a00:0/104"])
def test_networks_of_mapped_addresses_are_those_of_ipv4(named: str) -> None:
    settings = read_settings({"IDP_TRUSTED_PROXIES": f"{named} 2001:db8::/32", "IDP_TRUSTED_NETWORKS": named})
    assert settings.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert settings.trusted_networks == (ip_network("10.0.0.0/8"),)


_IPS = st.ip_addresses().map(lambda ip: ip if isinstance(ip, IPv4Address) else ip.ipv4_mapped or ip)
_HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300)


@given(forged=_HEADER, ip=_IPS, port=st.none() | st.integers(0, 65535))
def test_what_a_visitor_forges_changes_nothing(  # OTP-17
    forged: str, ip: IPv4Address | IPv6Address, port: int | None
) -> None:
    bare = f"[{ip}]" if isinstance(ip, IPv6Address) else str(ip)
    written = str(ip) if port is None else f"{bare}:{port}"
    assume(not any(ip in network for network in TRUSTED))
    assert seen(f"{forged}, {written}") == seen(forged, written) == str(ip)


@pytest.fixture
async def behind(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    await empty(database_url)
    settings = settings_for(tmp_path, trusted_proxies=(ip_network("10.0.0.0/8"),))
    async with running(database_url, key_chain, settings) as provider:
        await provider.add_client("bank", BANK_URI)
        yield provider


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}"])
@pytest.mark.parametrize(
    "form", ["203.0.113.{}", "203.0.113.{0}:5{0}00", "[2001:db8:{}::1]:51000", "::ffff:203.0.113.{}"]
)
async def test_visitors_behind_a_proxy_do_not_share_a_bucket(behind: Provider, peer: str, form: str) -> None:
    """With `ip:port`, or an IPv4 proxy on a dual-stack listener, five wrong passwords of anybody locked all out."""

    async def wrong(written: str, name: int) -> int:
        browser = behind.browser(address=peer, headers={"X-Forwarded-For": f"198.51.100.9, {written}"})
        await browser.get(behind.authorize_url())
        return (await browser.submit("/password", username=f"nobody{name}", password="guess")).status_code

    assert [await wrong(form.format(n), n) for n in range(8)] == [400] * 8
    assert 429 in [await wrong(form.format(0), n) for n in range(8, 14)]
