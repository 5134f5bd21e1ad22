"""Two providers in one application: customers sign in at one and the staff at the other, in one session."""

from typing import Any

import httpx
import pytest
from flask import Flask

import stile_rp.flask
from stile_rp import BearerAuth, Outdated, Refused, RelyingParty, require
from stile_rp.effects import ProcessMemory
from stile_rp.site import Confirmed, Site
from stile_rp.testing import FakeProvider

SCOPE = "transfers:write"


@pytest.fixture
def customers() -> FakeProvider:
    return FakeProvider("https://customers.example")


@pytest.fixture
def staff() -> FakeProvider:
    return FakeProvider("https://staff.example")


def site_of(provider: FakeProvider, **more: Any) -> tuple[Site, Any]:
    party = RelyingParty(provider.settings(**more), http=provider.http, clock=provider.clock)
    return Site(party.steps), party.world.run


def test_who_signed_in_at_one_provider_is_nobody_of_the_other(customers: FakeProvider, staff: FakeProvider) -> None:
    """The same `sub` at both: anybody may be called so where anybody may register."""
    (theirs, run), (ours, at_ours) = site_of(customers), site_of(staff)
    session: dict[str, Any] = {}
    run(theirs.callback(session, customers.come_back(run(theirs.sign_in(session)).url)))
    assert run(theirs.person(session)).subject == "sub-alice"
    assert at_ours(ours.person(session)) is None
    at_ours(ours.callback(session, staff.come_back(at_ours(ours.sign_in(session)).url)))
    assert (run(theirs.person(session)).subject, at_ours(ours.person(session)).subject) == ("sub-alice",) * 2
    asked = run(theirs.confirm(session, action=SCOPE, then="/done"))
    run(theirs.callback(session, customers.come_back(asked.url)))
    assert at_ours(ours.confirmed(session, action=SCOPE, here="/done")) is None
    assert isinstance(run(theirs.confirmed(session, action=SCOPE, here="/done")), Confirmed)


def test_two_clients_of_one_provider_are_two(customers: FakeProvider) -> None:
    (shop, run), (office, at_office) = site_of(customers), site_of(customers, client_id="office")
    session: dict[str, Any] = {}
    run(shop.callback(session, customers.come_back(run(shop.sign_in(session)).url)))
    assert run(shop.person(session)) is not None
    assert at_office(office.person(session)) is None


def test_an_answer_of_one_provider_is_none_of_the_other(customers: FakeProvider, staff: FakeProvider) -> None:
    """Mix-up (RFC 9700 4.4): the code of one never reaches the token endpoint of the other."""
    (theirs, run), (ours, at_ours) = site_of(customers), site_of(staff)
    session: dict[str, Any] = {}
    answer = customers.come_back(run(theirs.sign_in(session)).url)
    at_ours(ours.sign_in(session))
    at_ours(ours.callback(session, answer))
    assert (staff.posted, at_ours(ours.person(session))) == ([], None)
    party = RelyingParty(staff.settings(), http=staff.http, clock=staff.clock)
    with pytest.raises(Outdated):
        party.finish({}, answer)


def test_what_they_remember_together_they_remember_apart(customers: FakeProvider, staff: FakeProvider) -> None:
    memory, need = ProcessMemory(customers.clock), require(SCOPE, once=True)
    sites = []
    for provider in (customers, staff):
        party = RelyingParty(provider.settings(), http=provider.http, memory=memory, clock=provider.clock)
        party.check(f"Bearer {provider.access_token(scope=SCOPE, jti='one')}", need)
        with pytest.raises(Refused, match="used already"):
            party.check(f"Bearer {provider.access_token(scope=SCOPE, jti='one')}", need)
        sites.append((Site(party.steps), party.world.run))
    (theirs, run), (ours, at_ours) = sites
    session: dict[str, Any] = {}
    at_ours(ours.callback(session, staff.come_back(at_ours(ours.sign_in(session)).url)))
    run(theirs.back_channel(f"logout_token={customers.logout_token()}".encode()))
    assert at_ours(ours.person(session)) is not None
    at_ours(ours.back_channel(f"logout_token={staff.logout_token()}".encode()))
    assert at_ours(ours.person(session)) is None


def test_flask_has_both_and_a_step_up_comes_back_to_the_right_one(customers: FakeProvider, staff: FakeProvider) -> None:
    app = Flask("both")
    app.secret_key = "x"
    theirs = stile_rp.flask.Auth(customers.settings(), app, http=customers.http, clock=customers.clock)
    stile_rp.flask.Auth(staff.settings(prefix="/staff"), app, http=staff.http, clock=staff.clock)
    wants = Refused(401, "insufficient_user_authentication", "more", acr_values="phr", max_age="60")

    def api(_: httpx.Request) -> httpx.Response:
        return httpx.Response(wants.status, headers=wants.headers)

    @app.get("/calls")
    @theirs.signed_in
    def calls() -> str:
        weak = BearerAuth(theirs.party, customers.access_token(), then="/done")
        with httpx.Client(transport=httpx.MockTransport(api)) as client:
            return client.get("https://api.example/", auth=weak).text

    browser = app.test_client()
    back = customers.browse(browser.get("/calls", base_url="https://shop.example").headers["location"])
    assert browser.get(back).headers["location"] == "/calls"
    customers.acr = "phr"
    asked = browser.get("/calls", base_url="https://shop.example")
    assert browser.get(customers.browse(asked.headers["location"])).headers["location"] == "/done"
    assert browser.get("/staff/login", base_url="https://shop.example").headers["location"].startswith(staff.issuer)
