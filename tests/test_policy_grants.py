"""What a grant still permits at redemption and refresh: its stored proofs, judged again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from idp.model import Account, AssuranceLevel, Authenticator, AuthMethod, Client, Factor, Grant, Holder
from idp.policy import default_policy, load_policy, recheck
from tests.world.policies import OURS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
ANNA = Account(UUID(int=1), "anna", LONG_AGO, LONG_AGO)
APP = Authenticator(uuid4(), ANNA.id, Factor.TOTP, "app", "", LONG_AGO, LONG_AGO, confirmed_at=LONG_AGO)
PHONE = replace(APP, id=uuid4(), factor=Factor.SMS)
SCOPES = ("openid", "email", "transfers:write", "password:write")
PLAIN = ("openid", "email")
GRANT = Grant(
    uuid4(),
    "bank",
    (*SCOPES, "authenticators:write"),
    created_at=NOW - timedelta(seconds=30),
    account_id=ANNA.id,
    level=AssuranceLevel.STRONG,
    acr="urn:stile:2fa-strong",
    auth_time=NOW - timedelta(seconds=40),
    strong_at=NOW - timedelta(seconds=40),
    fresh_at=NOW - timedelta(seconds=40),
)

BANK = Client("bank", "Acme Bank", AuthMethod.BASIC, scopes=frozenset((*GRANT.scopes, "phone", "unheard-of")))


def permitted(
    grant: Grant = GRANT,
    account: Account = ANNA,
    having: tuple[Authenticator, ...] = (PHONE, APP),
    scopes: tuple[str, ...] = SCOPES,
    **how: Any,
) -> tuple[str, ...]:
    trusted: dict[Factor, datetime] = {}
    for each in having:
        if each.trusted_at is None:
            continue
        trusted[each.factor] = min(each.trusted_at, trusted.get(each.factor, each.trusted_at))
    holder = Holder(account.id, account.groups, account.disabled, account.closed_until, trusted)
    return recheck(
        grant, how.pop("client", BANK), holder, scopes, how.pop("policy", default_policy()), how.pop("now", NOW), **how
    )


def test_everything_proved_is_permitted_in_the_order_asked() -> None:
    assert permitted() == SCOPES
    assert permitted(scopes=("transfers:write", "openid")) == ("transfers:write", "openid")


def test_never_more_than_was_granted() -> None:
    assert permitted(replace(GRANT, scopes=PLAIN)) == PLAIN
    assert permitted(scopes=("openid", "phone", "unheard-of")) == ("openid",)
    assert permitted(replace(GRANT, scopes=("openid", "unheard-of")), scopes=("openid", "unheard-of")) == ("openid",)


def test_what_the_client_is_no_longer_registered_for_goes() -> None:
    assert permitted(client=replace(BANK, scopes=frozenset({"openid", "phone"}))) == ("openid",)


def test_a_client_for_some_groups_is_for_nobody_else() -> None:
    payroll = replace(BANK, groups=frozenset({"finance", "board"}))
    assert permitted(client=payroll) == ()
    assert permitted(account=replace(ANNA, groups=frozenset({"sales"})), client=payroll) == ()
    assert permitted(account=replace(ANNA, groups=frozenset({"sales", "board"})), client=payroll) == SCOPES


def test_a_client_that_now_needs_more_stops_a_weaker_grant() -> None:
    strong = replace(BANK, level=AssuranceLevel.STRONG)
    texted = replace(GRANT, level=AssuranceLevel.TWO_FACTOR, strong_at=None, scopes=PLAIN)
    assert permitted(texted, scopes=PLAIN) == PLAIN
    assert permitted(texted, scopes=PLAIN, client=strong) == ()
    assert permitted(scopes=PLAIN, client=strong) == PLAIN
    # nor is one kept whose app is gone
    assert permitted(scopes=PLAIN, client=strong, having=(PHONE,)) == ()


def test_a_scope_that_needs_hardware_is_permitted_on_hardware_alone() -> None:
    rows = '"vault:open" = { level = "hardware_bound" }'
    policy = load_policy(OURS.replace("[scopes]\n", f"[scopes]\n{rows}\n", 1))
    client = replace(BANK, scopes=frozenset({"openid", "vault:open"}))
    key = replace(APP, id=uuid4(), factor=Factor.PASSKEY)
    bound = replace(GRANT, scopes=("openid", "vault:open"), level=AssuranceLevel.HARDWARE_BOUND, acr="phrh")
    synced = replace(bound, level=AssuranceLevel.PHISHING_RESISTANT, acr="phr")
    asked: dict[str, Any] = {"scopes": ("openid", "vault:open"), "client": client, "policy": policy}
    assert permitted(bound, having=(key,), **asked) == ("openid", "vault:open")
    assert permitted(synced, having=(key,), **asked) == ("openid",)
    # nor on a passkey that is gone, whatever else there is
    assert permitted(bound, having=(APP,), **asked) == ("openid",)


def test_a_refresh_drops_what_a_refresh_token_may_not_carry() -> None:
    assert permitted(refreshing=True) == PLAIN


@pytest.mark.parametrize(
    ("grant", "account"),
    [
        pytest.param(GRANT, replace(ANNA, disabled=True), id="disabled"),
        pytest.param(replace(GRANT, revoked_at=NOW), ANNA, id="revoked"),
        pytest.param(GRANT, replace(ANNA, id=uuid4()), id="another person"),
        pytest.param(replace(GRANT, account_id=None), ANNA, id="nobody"),
        pytest.param(replace(GRANT, level=AssuranceLevel.ONE_FACTOR), ANNA, id="one factor"),
    ],
)
def test_nothing_is_permitted_to_the_wrong_person_or_on_one_factor(grant: Grant, account: Account) -> None:
    assert permitted(grant, account) == ()


def test_a_group_that_now_needs_more_stops_a_weaker_grant() -> None:
    policy = load_policy(
        '[levels]\ntwo_factor = "a"\nstrong = "b"\n[factors]\ntotp = "strong"\n[scopes]\n'
        'openid = { level = "two_factor" }\n[groups]\ntreasury = { level = "strong" }\n'
    )
    member = replace(ANNA, groups=frozenset({"treasury"}))
    weak = replace(GRANT, level=AssuranceLevel.TWO_FACTOR)
    assert permitted(weak, member, policy=policy) == ()
    assert permitted(GRANT, member, policy=policy) == ("openid",)
    assert permitted(weak, policy=policy) == ("openid",)


@pytest.mark.parametrize(
    ("change", "having"),
    [
        pytest.param({"level": AssuranceLevel.TWO_FACTOR}, (APP,), id="level"),
        pytest.param({"strong_at": None}, (APP,), id="no strong proof"),
        pytest.param({}, (PHONE,), id="no app left"),
        pytest.param({}, (replace(APP, trusted_at=NOW),), id="app not trusted then"),
    ],
)
def test_strong_scopes_need_a_stored_strong_proof_by_an_app_that_is_still_there(
    change: dict[str, Any], having: tuple[Authenticator, ...]
) -> None:
    assert permitted(replace(GRANT, **change), having=having) == PLAIN


def test_a_strong_proof_must_have_been_fresh_when_it_was_granted() -> None:
    def proved_before(seconds: float) -> tuple[str, ...]:
        return permitted(replace(GRANT, strong_at=GRANT.created_at - timedelta(seconds=seconds)))

    assert proved_before(300) == SCOPES
    assert proved_before(301) == (*PLAIN, "transfers:write")
    assert proved_before(3600) == (*PLAIN, "transfers:write")
    assert proved_before(3601) == PLAIN


def test_a_fresh_scope_does_not_outlive_the_longest_life_of_a_code() -> None:
    assert permitted(now=GRANT.created_at + timedelta(minutes=10)) == SCOPES
    assert permitted(now=GRANT.created_at + timedelta(minutes=10, seconds=1)) == PLAIN


def test_a_two_factor_scope_with_an_age_looks_at_its_own_proof_and_not_at_an_old_password() -> None:
    only = ("authenticators:write",)
    weak = replace(GRANT, level=AssuranceLevel.TWO_FACTOR, strong_at=None)
    assert permitted(weak, scopes=only) == only
    assert permitted(replace(weak, auth_time=LONG_AGO), scopes=only) == only
    assert permitted(replace(weak, fresh_at=GRANT.created_at - timedelta(seconds=301)), scopes=only) == ()
    assert permitted(replace(weak, fresh_at=None), scopes=only) == ()


@pytest.mark.parametrize(
    "account", [replace(ANNA, frozen_at=NOW - timedelta(days=400)), replace(ANNA, strong_from=NOW + timedelta(hours=3))]
)
def test_a_closed_account_gets_nothing_strong_for_what_it_proved_before(account: Account) -> None:
    assert permitted(account=account) == PLAIN
    assert permitted(account=replace(ANNA, strong_from=GRANT.strong_at)) == SCOPES
