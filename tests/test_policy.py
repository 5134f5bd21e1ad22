"""The rules as sentences: one test per rule of `idp.policy.CHECKS`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from idp.model import (
    Account,
    AssuranceLevel,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    Change,
    ClaimsRequest,
    Client,
    Factor,
    Prompt,
)
from idp.policy import (
    CHECKS,
    UNMET,
    Ask,
    Facts,
    Kind,
    Policy,
    Proceed,
    Reason,
    Refuse,
    Why,
    decide,
    default_policy,
    explain,
    good_until,
    left_out,
    load_policy,
)
from idp.policy.reasons import because
from tests.world.histories import BY_ONESELF
from tests.world.policies import OURS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
TWO, STRONG, PHR = "urn:stile:2fa", "urn:stile:2fa-strong", "phr"
HERE, EARLIER = uuid4(), uuid4()
ANNA = Account(UUID(int=1), "anna", LONG_AGO, LONG_AGO)
BERT = Account(UUID(int=2), "bert", LONG_AGO, LONG_AGO)
EVERY_SCOPE = frozenset(default_policy().scopes)
KINDS = frozenset({"authorization_code", "refresh_token"})
BANK = Client("bank", "Acme Bank", AuthMethod.BASIC, grant_types=KINDS, scopes=EVERY_SCOPE, first_party=True)
NOTES = Client("notes", "Notes", AuthMethod.NONE, grant_types=KINDS, scopes=EVERY_SCOPE)


def enrolled(factor: Factor, **changes: Any) -> Authenticator:
    made = Authenticator(uuid4(), ANNA.id, factor, factor, "", LONG_AGO, LONG_AGO, confirmed_at=LONG_AGO)
    return replace(made, **changes)


PHONE = enrolled(Factor.SMS)
APP = enrolled(Factor.TOTP)
PAPER = enrolled(Factor.RECOVERY, remaining=5)
HELD = enrolled(Factor.TOTP, trusted_at=NOW + timedelta(hours=3))


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def proved(factor: Factor, seconds_ago: float, **changes: Any) -> AuthenticationEvent:
    by = {Factor.SMS: PHONE, Factor.TOTP: APP, Factor.RECOVERY: PAPER}.get(factor)
    event = AuthenticationEvent(factor, ago(seconds_ago), ANNA.id, "bank", EARLIER, by.id if by else None)
    return replace(event, **changes)


PASSWORD, SMS, TOTP = proved(Factor.PASSWORD, 1000), proved(Factor.SMS, 990), proved(Factor.TOTP, 990)
TOTP_HERE = proved(Factor.TOTP, 5, interaction_id=HERE)


def facts(*scopes: str, client: Client = BANK, request: dict[str, Any] | None = None, **changes: Any) -> Facts:
    """Anna, who has a phone and an app, signed in at the bank a while ago by password and SMS."""
    asked = AuthorizationRequest(client.id, "https://rp.example/cb", ("openid", *scopes), **(request or {}))
    usual = Facts(
        now=NOW,
        client=client,
        request=asked,
        started_at=ago(20),
        interaction_id=HERE,
        account=ANNA,
        events=(PASSWORD, SMS),
        authenticators=(PHONE, APP),
    )
    return replace(usual, **changes)


def answer(given: Facts, policy: Policy | None = None) -> Proceed | Ask | Refuse:
    return decide(given, policy or default_policy())


def proceeds(given: Facts, policy: Policy | None = None) -> Proceed:
    found = answer(given, policy)
    assert isinstance(found, Proceed), found
    return found


def asks(given: Facts, policy: Policy | None = None) -> Ask:
    found = answer(given, policy)
    assert isinstance(found, Ask), found
    return found


def refuses(given: Facts, policy: Policy | None = None) -> Refuse:
    found = answer(given, policy)
    assert isinstance(found, Refuse), found
    return found


def password_for(why: Why, **about: Any) -> Ask:
    return Ask(Kind.PASSWORD, Reason(why, **about), (Factor.PASSWORD,))


# --- signing in -----------------------------------------------------------------------------------


def test_a_stranger_is_asked_for_the_password() -> None:
    assert asks(facts(account=None, events=(), authenticators=())) == password_for(Why.SIGN_IN)
    assert asks(facts(events=())) == password_for(Why.SIGN_IN)


def test_proofs_without_a_signed_in_person_are_nothing() -> None:
    assert asks(facts(account=None)) == password_for(Why.SIGN_IN)


def test_a_password_is_not_enough() -> None:
    found = asks(facts(events=(PASSWORD,), authenticators=(PAPER, PHONE, APP)))
    assert found == Ask(Kind.SECOND_FACTOR, Reason(Why.SIGN_IN), (Factor.TOTP, Factor.SMS, Factor.RECOVERY))


def test_password_and_sms_sign_in() -> None:
    found = proceeds(facts("profile"))
    assert found.scopes == ("openid", "profile")
    assert (found.context.acr, found.context.amr) == (TWO, ("pwd", "sms", "mfa"))


def test_password_and_app_sign_in_at_the_strong_level() -> None:
    assert proceeds(facts(events=(PASSWORD, TOTP))).context.acr == STRONG


def test_a_person_without_a_second_factor_is_refused_and_never_let_in_with_one() -> None:
    found = refuses(facts(events=(PASSWORD,), authenticators=()))
    assert (found.error, found.retry_at) == (UNMET, None)


def test_an_app_on_hold_signs_in() -> None:
    by_held = proved(Factor.TOTP, 5, authenticator_id=HELD.id)
    assert asks(facts(events=(PASSWORD,), authenticators=(HELD,))).factors == (Factor.TOTP,)
    assert proceeds(facts(events=(PASSWORD, by_held), authenticators=(HELD,))).context.acr == TWO


def test_a_phone_enrolled_inside_this_request_does_not_satisfy_it() -> None:
    fresh = replace(PHONE, enrolled_in=HERE)
    assert refuses(facts(authenticators=(fresh,))).error == UNMET


def test_a_disabled_account_is_signed_out_and_refused_once_it_gives_its_password_here() -> None:
    gone = replace(ANNA, disabled=True)
    assert asks(facts(account=gone)) == password_for(Why.SIGN_IN)
    assert refuses(facts(account=gone, events=(replace(PASSWORD, interaction_id=HERE),))).error == "access_denied"


def test_a_disabled_client_gets_nothing() -> None:
    assert refuses(facts(client=replace(BANK, disabled=True))).error == "unauthorized_client"


# --- the client asks for more ---------------------------------------------------------------------


def test_prompt_login_asks_for_everything_again() -> None:
    again = {"prompts": frozenset({Prompt.LOGIN})}
    assert asks(facts(request=again)) == password_for(Why.CLIENT_ASKED_LOGIN)
    fresh = proved(Factor.PASSWORD, 20, interaction_id=HERE)
    assert asks(facts(request=again, events=(PASSWORD, SMS, fresh))).kind is Kind.SECOND_FACTOR
    assert asks(facts(request=again, events=())) == password_for(Why.SIGN_IN)


@pytest.mark.parametrize("client", ["notes", "bank"])
@pytest.mark.parametrize("asked", [{"prompts": frozenset({Prompt.LOGIN})}, {"max_age": timedelta(0)}])
def test_a_sign_in_made_meanwhile_in_another_tab_is_not_the_one_asked_for(client: str, asked: dict[str, Any]) -> None:
    meanwhile = tuple(proved(factor, 5, client_id=client) for factor in (Factor.PASSWORD, Factor.SMS))
    assert asks(facts(request=asked, events=(PASSWORD, SMS, *meanwhile))).kind is Kind.PASSWORD


def test_a_sign_in_made_meanwhile_is_young_enough_for_a_client_that_asks_how_long_ago() -> None:
    meanwhile = tuple(proved(factor, 5, client_id="notes") for factor in (Factor.PASSWORD, Factor.SMS))
    young = facts(request={"max_age": timedelta(seconds=5)}, events=(PASSWORD, SMS, *meanwhile))
    assert proceeds(young).context.auth_time == ago(5)
    assert asks(replace(young, now=NOW + timedelta(seconds=1))).kind is Kind.PASSWORD


def test_prompt_login_is_satisfied_by_proofs_of_this_interaction_whatever_the_clocks_say() -> None:
    events = tuple(replace(event, interaction_id=HERE) for event in (PASSWORD, SMS))
    assert proceeds(facts(request={"prompts": frozenset({Prompt.LOGIN})}, events=events)).scopes == ("openid",)


def test_max_age_drops_older_proofs() -> None:
    old = facts(request={"max_age": timedelta(seconds=985)})
    assert asks(old) == password_for(Why.MAX_AGE, age=timedelta(seconds=985))
    assert proceeds(facts(request={"max_age": timedelta(seconds=1000)})).scopes == ("openid",)
    assert asks(facts(request={"max_age": timedelta(seconds=1000)}, events=())) == password_for(Why.SIGN_IN)


def test_a_second_factor_left_over_by_max_age_needs_a_password_before_it() -> None:
    cut = facts(request={"max_age": timedelta(seconds=995)})
    assert asks(cut).kind is Kind.PASSWORD
    assert asks(replace(cut, events=(PASSWORD, SMS, proved(Factor.PASSWORD, 1)))).kind is Kind.SECOND_FACTOR


def test_max_age_zero_asks_even_right_after_a_sign_in_and_does_not_loop() -> None:
    zero = {"max_age": timedelta(0)}
    before = tuple(replace(event, at=ago(21)) for event in (PASSWORD, SMS))
    assert asks(facts(request=zero, events=before)).kind is Kind.PASSWORD
    since = tuple(proved(each, at, interaction_id=HERE) for each, at in ((Factor.PASSWORD, 20), (Factor.SMS, 12)))
    assert proceeds(facts(request=zero, events=since)).context.auth_time == ago(20)


def test_select_account_asks_until_chosen_or_signed_in_here() -> None:
    choose = {"prompts": frozenset({Prompt.SELECT_ACCOUNT})}
    assert asks(facts(request=choose)) == Ask(Kind.SELECT_ACCOUNT, Reason(Why.CLIENT_ASKED_CHOICE))
    assert proceeds(facts(request=choose, account_chosen=True)).scopes == ("openid",)
    assert proceeds(facts(request=choose, events=(replace(PASSWORD, interaction_id=HERE), SMS))).scopes == ("openid",)
    assert asks(facts(request=choose, account=None)).kind is Kind.PASSWORD


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"hint_subject": str(BERT.id)}, id="id_token_hint"),
        pytest.param({"claims": ClaimsRequest(subject=str(BERT.id))}, id="claims"),
    ],
)
def test_another_person_is_asked_to_sign_in_and_refused_if_the_wrong_one_does(asked: dict[str, Any]) -> None:
    assert asks(facts(request=asked)) == password_for(Why.OTHER_PERSON)
    assert refuses(facts(request=asked, events=(replace(PASSWORD, interaction_id=HERE), SMS))).error == "login_required"
    silent = {**asked, "prompts": frozenset({Prompt.NONE})}
    assert refuses(facts(request=silent)).error == "login_required"


def test_a_hint_that_fits_changes_nothing() -> None:
    assert proceeds(
        facts(request={"hint_subject": str(ANNA.id), "claims": ClaimsRequest(subject=str(ANNA.id))})
    ).scopes == ("openid",)


def test_two_hints_that_differ_are_refused_at_once() -> None:
    both = {"hint_subject": str(ANNA.id), "claims": ClaimsRequest(subject=str(BERT.id))}
    assert refuses(facts(request=both)).error == "login_required"


# --- step-up --------------------------------------------------------------------------------------

TRANSFERS = frozenset({"transfers:write"})


def test_transfers_need_totp_and_sms_is_not_offered() -> None:
    found = asks(facts("transfers:write", authenticators=(PHONE, PAPER, APP)))
    assert (found.kind, found.factors) == (Kind.SECOND_FACTOR, (Factor.TOTP,))
    assert found.reason == Reason(
        Why.SCOPE_NEEDS_LEVEL, scope="transfers:write", level=AssuranceLevel.STRONG, age=timedelta(0)
    )
    assert asks(facts("transfers:write", events=(PASSWORD,))).factors == (Factor.TOTP,)


def test_a_transfer_asks_a_signed_in_person_for_totp_alone_and_each_time() -> None:
    earlier = facts("transfers:write", events=(PASSWORD, TOTP), consented_here=TRANSFERS)
    assert asks(earlier).reason.why is Why.SCOPE_NEEDS_FRESH
    assert asks(earlier).kind is Kind.SECOND_FACTOR
    found = proceeds(replace(earlier, events=(PASSWORD, TOTP, TOTP_HERE)))
    assert (found.scopes, found.context.acr) == (("openid", "transfers:write"), STRONG)


def test_a_proof_made_in_no_interaction_is_not_made_in_this_one() -> None:
    nowhere = proved(Factor.TOTP, 5, interaction_id=None)
    given = facts("transfers:write", events=(PASSWORD, nowhere), interaction_id=None, consented_here=TRANSFERS)
    assert asks(given).reason.why is Why.SCOPE_NEEDS_FRESH


def test_a_scope_with_an_age_takes_a_proof_that_is_young_enough() -> None:
    def given(seconds: float, client: str = "bank") -> Facts:
        event = proved(Factor.TOTP, seconds, client_id=client)
        return facts("password:write", events=(PASSWORD, event), consented_here=frozenset({"password:write"}))

    assert proceeds(given(300)).scopes == ("openid", "password:write")
    assert asks(given(300.001)).factors == (Factor.TOTP,)
    assert asks(given(5, client="notes")).factors == (Factor.TOTP,)


def test_what_the_bank_earned_does_not_serve_notes() -> None:
    here_for_bank = replace(TOTP_HERE, client_id="bank")
    given = facts("transfers:write", client=NOTES, events=(PASSWORD, here_for_bank), consented_here=TRANSFERS)
    assert asks(given).factors == (Factor.TOTP,)
    plain = facts(client=NOTES, events=(PASSWORD, TOTP), consented=frozenset({"openid"}))
    assert proceeds(plain).context.acr == TWO
    assert asks(replace(plain, request=replace(plain.request, acr_values=(STRONG,)))).factors == (Factor.TOTP,)


def test_a_two_factor_scope_with_an_age_needs_a_second_factor_for_this_client() -> None:
    account_pages = replace(BANK, id="account")
    given = facts("authenticators:write", client=account_pages, internal=True, events=(PASSWORD, proved(Factor.SMS, 9)))
    assert asks(given).factors == (Factor.TOTP, Factor.SMS)
    here = replace(given, events=(PASSWORD, proved(Factor.SMS, 9, client_id="account")))
    assert proceeds(here).scopes == ("openid", "authenticators:write")


@pytest.mark.parametrize(("factor", "again"), [(Factor.SMS, Factor.SMS), (Factor.TOTP, Factor.TOTP)])
def test_what_was_proved_for_another_client_makes_no_proof_of_this_one_younger(factor: Factor, again: Factor) -> None:
    """Promise 4: the grant remembers when this client's proof was made, and for so long it is fresh."""
    here = proved(factor, 200, client_id="notes")
    elsewhere = proved(again, 3, client_id="bank")
    given = facts(client=NOTES, events=(PASSWORD, here, elsewhere), consented=frozenset({"openid"}))
    assert proceeds(given).context.fresh_at == ago(200)
    only_there = replace(given, events=(PASSWORD, elsewhere))
    assert proceeds(only_there).context.fresh_at is None


def test_a_scope_of_a_site_lasts_from_the_proof_that_was_made_for_it() -> None:
    rows = 'level = "two_factor", fresh = "5m" }'
    policy = load_policy(OURS.replace("[scopes]\n", f'[scopes]\n"look" = {{ {rows}\n', 1))
    wiki = replace(NOTES, id="wiki", scopes=EVERY_SCOPE | {"look"}, first_party=True)
    here, elsewhere = proved(Factor.SMS, 200, client_id="wiki"), proved(Factor.SMS, 3, client_id="bank")
    given = facts("look", client=wiki, events=(PASSWORD, here, elsewhere))
    assert good_until(given, policy)["look"] == ago(200) + timedelta(minutes=5)
    assert asks(replace(given, events=(PASSWORD, elsewhere)), policy).factors


def test_transfers_without_an_app_are_refused() -> None:
    assert refuses(facts("transfers:write", authenticators=(PHONE, PAPER))).error == UNMET


def test_transfers_with_an_app_on_hold_are_refused_until_it_is_trusted() -> None:
    later = enrolled(Factor.TOTP, trusted_at=NOW + timedelta(hours=9))
    closed = enrolled(Factor.TOTP, trusted_at=NOW + timedelta(hours=1), closed_at=NOW)
    phone = replace(PHONE, trusted_at=NOW + timedelta(hours=2))
    found = refuses(facts("transfers:write", authenticators=(phone, closed, later, HELD)))
    assert (found.error, found.retry_at) == (UNMET, HELD.trusted_at)
    assert str(HELD.trusted_at) not in found.description


def test_an_app_enrolled_inside_this_request_does_not_satisfy_it() -> None:
    inside = replace(APP, enrolled_in=HERE)
    found = refuses(facts("transfers:write", authenticators=(PHONE, inside), events=(PASSWORD, SMS, TOTP_HERE)))
    assert (found.error, found.retry_at) == (UNMET, None)


def test_a_level_proved_by_what_is_gone_cannot_be_refreshed_and_is_refused() -> None:
    given = facts("authenticators:write", internal=True, authenticators=())
    assert refuses(given).error == UNMET


def test_members_of_a_group_with_a_floor_need_it_for_anything() -> None:
    policy = load_policy(
        '[levels]\ntwo_factor = "two"\nstrong = "strong"\n[factors]\nsms = "two_factor"\ntotp = "strong"\n'
        '[scopes]\nopenid = { level = "two_factor" }\n[groups]\ntreasury = { level = "strong" }\n'
        'staff = { level = "two_factor" }\n'
    )
    member = replace(ANNA, groups=frozenset({"treasury", "staff", "choir"}))
    found = asks(facts(account=member), policy)
    assert (found.factors, found.reason) == (
        (Factor.TOTP,),
        Reason(Why.GROUP_NEEDS_LEVEL, level=AssuranceLevel.STRONG),
    )
    assert proceeds(facts(account=member, events=(PASSWORD, TOTP)), policy).context.acr == "strong"
    assert refuses(facts(account=member, authenticators=(PHONE,)), policy).error == UNMET
    assert proceeds(facts(account=replace(ANNA, groups=frozenset({"staff"}))), policy).context.acr == "two"


def test_a_client_of_a_level_needs_it_whatever_it_asks_for() -> None:
    client = replace(BANK, level=AssuranceLevel.STRONG)
    for asked in ({}, wanting(TWO), must(TWO, STRONG)):
        found = asks(facts(client=client, request=asked))
        assert found.factors == (Factor.TOTP,)
        assert found.reason == Reason(Why.CLIENT_NEEDS_LEVEL, level=AssuranceLevel.STRONG), asked
        assert because(found.reason) == "this application is registered for strong"
        granted = proceeds(facts(client=client, request=asked, events=(PASSWORD, TOTP)))
        assert granted.context.level is AssuranceLevel.STRONG
    # OIDC Core 3.1.2.1: what it would rather have is not what tokens say below that
    assert proceeds(facts(client=client, request=wanting(TWO), events=(PASSWORD, TOTP))).context.acr == STRONG
    assert refuses(facts(client=client, authenticators=(PHONE,))).error == UNMET
    member = replace(ANNA, groups=frozenset({"nothing"}))
    assert asks(facts(client=client, account=member)).factors == (Factor.TOTP,)
    assert proceeds(facts(client=replace(client, level=AssuranceLevel.TWO_FACTOR))).context.acr == TWO


# --- acr ------------------------------------------------------------------------------------------


def wanting(*values: str) -> dict[str, Any]:
    return {"acr_values": values}


def must(*values: str) -> dict[str, Any]:
    return {"claims": ClaimsRequest(essential_acr=values)}


def test_any_one_of_the_acr_values_will_do_and_the_first_satisfied_is_asserted() -> None:
    assert proceeds(facts(request=wanting(STRONG, TWO))).context.acr == TWO
    assert proceeds(facts(request=wanting(TWO, STRONG), events=(PASSWORD, TOTP))).context.acr == TWO
    assert proceeds(facts(request=wanting(STRONG, TWO), events=(PASSWORD, TOTP))).context.acr == STRONG
    assert proceeds(facts(request=wanting("unheard-of"))).context.acr == TWO


def test_acr_values_aim_at_the_first_this_person_can_reach() -> None:
    found = asks(facts(request=wanting(PHR, STRONG)))
    assert (found.factors, found.reason.why, found.reason.acr) == ((Factor.TOTP,), Why.ACR_ASKED, STRONG)
    assert proceeds(facts(request=wanting(PHR, STRONG), authenticators=(PHONE,))).context.acr == TWO
    assert asks(facts(request={"claims": ClaimsRequest(voluntary_acr=(STRONG,))})).factors == (Factor.TOTP,)


def test_signing_in_may_take_any_factor_that_one_of_the_acr_values_accepts() -> None:
    assert asks(facts(request=wanting(STRONG, TWO), events=(PASSWORD,))).factors == (Factor.TOTP, Factor.SMS)
    assert asks(facts(request=wanting(STRONG), events=(PASSWORD,))).factors == (Factor.TOTP,)


def test_a_client_cannot_ask_for_less_than_the_scope_needs() -> None:
    given = facts("transfers:write", request=wanting(TWO), consented_here=TRANSFERS)
    assert asks(given).factors == (Factor.TOTP,)
    assert proceeds(replace(given, events=(PASSWORD, TOTP_HERE))).context.acr == STRONG


def test_an_essential_acr_is_reached_and_asserted() -> None:
    assert asks(facts(request=must(PHR, STRONG))).factors == (Factor.TOTP,)
    assert proceeds(facts(request=must(PHR, STRONG), events=(PASSWORD, TOTP))).context.acr == STRONG
    assert proceeds(facts(request=must(TWO), events=(PASSWORD, TOTP))).context.acr == TWO
    both = facts("transfers:write", request=must(TWO), events=(PASSWORD, TOTP_HERE), consented_here=TRANSFERS)
    assert proceeds(both).context.acr == TWO


def test_an_essential_acr_nobody_can_reach_is_refused_before_anybody_types_anything() -> None:
    usual = default_policy()
    without: dict[Factor, AssuranceLevel] = {
        factor: level for factor, level in usual.factors.items() if factor is not Factor.PASSKEY
    }
    assert refuses(facts(request=must(PHR), account=None), replace(usual, factors=without)).error == UNMET
    assert asks(facts(request=must(PHR), account=None)).kind is Kind.PASSWORD
    assert refuses(facts(request=must("unheard-of"), account=None)).error == UNMET


def test_an_essential_acr_this_person_cannot_reach_is_refused_after_the_password() -> None:
    given = facts(request=must(PHR, STRONG), authenticators=(PHONE, HELD))
    assert (refuses(given).error, refuses(given).retry_at) == (UNMET, HELD.trusted_at)
    assert asks(replace(given, account=None)).kind is Kind.PASSWORD


# --- scopes and consent ---------------------------------------------------------------------------


def test_scopes_nobody_may_have_are_dropped_and_none_left_is_an_error() -> None:
    assert proceeds(facts("unheard-of", "authenticators:write", "email", "email")).scopes == ("openid", "email")
    assert proceeds(facts("email", client=replace(BANK, scopes=frozenset({"openid"})))).scopes == ("openid",)
    only = facts()
    assert refuses(replace(only, request=replace(only.request, scopes=("unheard-of",)))).error == "invalid_scope"


def test_a_third_party_asks_for_what_it_has_not_been_given_yet() -> None:
    found = asks(facts("profile", "email", client=NOTES, consented=frozenset({"openid", "profile"})))
    assert found == Ask(Kind.CONSENT, Reason(Why.CONSENT_NEW), scopes=("email",))
    known = facts("profile", client=NOTES, consented=frozenset({"openid", "profile"}))
    assert proceeds(known).scopes == ("openid", "profile")


def test_unticked_scopes_are_dropped_but_openid_never() -> None:
    some = facts("profile", "email", client=NOTES, consented_here=frozenset({"email"}))
    assert proceeds(some).scopes == ("openid", "email")
    kept = facts("profile", "email", client=NOTES, consented=frozenset({"profile"}), consented_here=frozenset())
    assert proceeds(kept).scopes == ("openid", "profile")


def test_claims_asked_for_one_by_one_are_agreed_to_like_the_scope_that_gives_them() -> None:
    asked = {"claims": ClaimsRequest(userinfo=frozenset({"email", "name"}), scopes=("profile", "email"))}
    given = facts(client=NOTES, request=asked, consented=frozenset({"openid", "profile"}))
    assert asks(given).scopes == ("email",)
    found = proceeds(replace(given, consented_here=frozenset()))
    assert (found.scopes, found.told) == (("openid",), ("profile",))
    found = proceeds(replace(given, consented_here=frozenset({"email"})))
    assert (found.scopes, found.told) == (("openid",), ("profile", "email"))
    assert proceeds(facts(request=asked)).told == ("profile", "email")
    poor = replace(BANK, scopes=frozenset({"openid", "email"}))
    assert proceeds(facts(client=poor, request=asked)).told == ("email",)


@pytest.mark.parametrize(
    "more", [{"level": AssuranceLevel.STRONG}, {"fresh": timedelta(minutes=5)}, {"refresh": False}, {"internal": True}]
)
def test_claims_of_a_scope_that_needs_more_are_given_by_scope_alone(more: dict[str, Any]) -> None:
    asked = {"claims": ClaimsRequest(userinfo=frozenset({"email"}), scopes=("email",))}
    usual = default_policy()
    policy = replace(usual, scopes={**usual.scopes, "email": replace(usual.scopes["email"], **more)})
    for scopes in ((), ("email",)):
        given = facts(*scopes, request=asked, events=(PASSWORD, SMS, TOTP_HERE), consented_here=frozenset({"email"}))
        found = proceeds(given, policy)
        assert found.scopes == ("openid", *(() if "internal" in more else scopes))
        assert found.told == ()


def test_agreeing_to_nothing_is_access_denied() -> None:
    given = facts(client=NOTES, consented_here=frozenset())
    assert refuses(replace(given, request=replace(given.request, scopes=("email",)))).error == "access_denied"


def test_our_own_applications_do_not_ask_for_consent() -> None:
    assert proceeds(facts("profile", "offline_access")).scopes == ("openid", "profile", "offline_access")


def test_a_fresh_scope_of_our_own_application_is_agreed_to_on_the_page_of_its_proof() -> None:
    given = facts("email", "transfers:write", "password:write", events=(PASSWORD, SMS), consented=EVERY_SCOPE)
    assert asks(given).scopes == ("transfers:write", "password:write")
    answered = replace(given, events=(PASSWORD, TOTP_HERE), consented_here=frozenset(asks(given).scopes))
    assert proceeds(answered).scopes == ("openid", "email", "transfers:write", "password:write")
    somebody_elses = replace(given, client=replace(BANK, first_party=False))
    assert asks(somebody_elses).scopes == ()
    with_consent = replace(given, request=replace(given.request, prompts=frozenset({Prompt.CONSENT})))
    assert asks(with_consent).scopes == ()


def test_a_fresh_scope_is_consented_to_each_time_even_by_our_own_applications() -> None:
    given = facts("email", "transfers:write", events=(PASSWORD, TOTP_HERE), consented=EVERY_SCOPE)
    assert asks(given) == Ask(Kind.CONSENT, Reason(Why.CONSENT_EACH_TIME), scopes=("transfers:write",))
    assert proceeds(replace(given, consented_here=frozenset())).scopes == ("openid", "email")
    notes = replace(given, client=NOTES, events=(PASSWORD, replace(TOTP_HERE, client_id="notes")))
    assert asks(notes).scopes == ("transfers:write",)


def test_a_scope_that_was_unticked_needs_no_proof_any_more() -> None:
    given = facts("password:write", events=(PASSWORD, SMS, proved(Factor.TOTP, 301)), consented_here=frozenset())
    assert proceeds(given).scopes == ("openid",)


def test_prompt_consent_asks_even_what_is_known() -> None:
    given = facts("email", request={"prompts": frozenset({Prompt.CONSENT})}, consented=EVERY_SCOPE)
    assert asks(given) == Ask(Kind.CONSENT, Reason(Why.CLIENT_ASKED_CONSENT), scopes=("openid", "email"))
    assert proceeds(replace(given, consented_here=frozenset({"openid"}))).scopes == ("openid",)


def test_offline_access_needs_consent_once_and_no_prompt() -> None:
    known = frozenset({"openid"})
    new = facts("offline_access", client=NOTES, consented=known)
    assert asks(new) == Ask(Kind.CONSENT, Reason(Why.CONSENT_NEW), scopes=("offline_access",))
    assert proceeds(replace(new, consented_here=frozenset())).scopes == ("openid",)
    silent = facts("offline_access", client=NOTES, consented=known, request=SILENT)
    assert refuses(silent).error == "consent_required"
    without = replace(new, client=replace(NOTES, grant_types=frozenset({"authorization_code"})))
    assert proceeds(without).scopes == ("openid",)
    remembered = facts("offline_access", client=NOTES, consented=known | {"offline_access"})
    assert proceeds(remembered).scopes == ("openid", "offline_access")
    asked = facts("offline_access", client=NOTES, request={"prompts": frozenset({Prompt.CONSENT})}, consented=known)
    assert asks(asked).scopes == ("openid", "offline_access")


def test_a_client_for_some_groups_turns_everybody_else_away() -> None:
    payroll = replace(BANK, groups=frozenset({"finance"}))
    given = facts("email", client=payroll)
    assert asks(given) == Ask(Kind.SELECT_ACCOUNT, Reason(Why.NOT_IN_GROUP))
    assert asks(replace(given, account_chosen=True)).reason.why is Why.NOT_IN_GROUP
    silent = facts("email", client=payroll, request=SILENT)
    assert refuses(silent).error == "access_denied"
    member = replace(ANNA, groups=frozenset({"finance", "sales"}))
    assert proceeds(replace(given, account=member)).scopes == ("openid", "email")


def test_nobody_is_told_on_one_factor_whom_a_client_is_for() -> None:
    payroll = replace(BANK, groups=frozenset({"finance"}))
    assert asks(facts(client=payroll, account=None, events=())).kind is Kind.PASSWORD
    assert asks(facts(client=payroll, events=(PASSWORD,))).kind is Kind.SECOND_FACTOR
    assert refuses(facts(client=payroll, events=(PASSWORD,), request=SILENT)).error == "login_required"


def test_what_is_for_machines_only_is_nobodys_to_grant() -> None:
    rule = default_policy().scopes["openid"]
    only, both = replace(rule, people=False, machines=True), replace(rule, machines=True)
    scopes = {**default_policy().scopes, "reports:read": only, "both:read": both}
    policy = replace(default_policy(), scopes=scopes)
    client = replace(BANK, scopes=BANK.scopes | {"reports:read", "both:read"})
    given = facts("reports:read", "both:read", client=client)
    assert proceeds(given, policy).scopes == ("openid", "both:read")
    alone = replace(given, request=replace(given.request, scopes=("reports:read",)))
    assert refuses(alone, policy).error == "invalid_scope"
    assert left_out(policy, client, ("openid", "reports:read")) == {
        "reports:read": "it is for machines only, and no person can grant it"
    }


def test_our_account_pages_ask_the_same_rules_without_consent() -> None:
    given = facts("password:write", "authenticators:write", internal=True)
    assert asks(given).factors == (Factor.TOTP,)
    assert proceeds(replace(given, events=(PASSWORD, TOTP_HERE))).scopes[1:] == (
        "password:write",
        "authenticators:write",
    )


# --- prompt=none ----------------------------------------------------------------------------------

SILENT: dict[str, Any] = {"prompts": frozenset({Prompt.NONE})}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        pytest.param(facts(request=SILENT, account=None), "login_required", id="nobody"),
        pytest.param(facts(request=SILENT, events=(PASSWORD,)), "login_required", id="one factor"),
        pytest.param(facts(request={**SILENT, "max_age": timedelta(5)}, events=()), "login_required", id="max_age"),
        pytest.param(facts(request={**SILENT, "acr_values": (STRONG,)}), "interaction_required", id="step-up"),
        pytest.param(facts(request=SILENT, client=NOTES), "consent_required", id="consent"),
        pytest.param(
            facts(request={"prompts": frozenset({Prompt.NONE, Prompt.SELECT_ACCOUNT})}),
            "account_selection_required",
            id="account",
        ),
        pytest.param(facts("transfers:write", request=SILENT, authenticators=(PHONE,)), UNMET, id="no app"),
        pytest.param(facts("transfers:write", request=SILENT), "interaction_required", id="transfer"),
        pytest.param(facts("transfers:write", request=SILENT, account=None), "login_required", id="nobody's transfer"),
    ],
)
def test_prompt_none_answers_with_the_error_that_says_what_is_missing(given: Facts, error: str) -> None:
    assert refuses(given).error == error


def test_prompt_none_proceeds_when_there_is_nothing_to_ask() -> None:
    assert proceeds(facts("email", request=SILENT)).scopes == ("openid", "email")


@pytest.mark.parametrize("scope", ["transfers:write", "password:write"])
def test_prompt_none_never_yields_a_fresh_scope(scope: str) -> None:
    given = facts(scope, request=SILENT, events=(PASSWORD, TOTP_HERE), consented_here=frozenset({scope}))
    assert refuses(given).error == "interaction_required"


# --- explaining -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(facts(), "proceed: openid as urn:stile:2fa (pwd+sms+mfa)", id="proceed"),
        pytest.param(
            facts("transfers:write"),
            "ask for second_factor by totp for transfers:write, "
            "because transfers:write needs strong, made in this request",
            id="totp",
        ),
        pytest.param(
            facts(client=NOTES), "ask for consent for openid, because the person has not agreed to it yet", id="consent"
        ),
        pytest.param(
            facts(request={"max_age": timedelta(seconds=60)}),
            "ask for password by password, because "
            "the application wants a newer sign-in (max_age), at most 1 minute old",
            id="max_age",
        ),
        pytest.param(
            facts(request=must(STRONG), authenticators=(PHONE, HELD)),
            f"refuse with {UNMET}: This person cannot be authenticated as strongly as this request needs "
            "(the application asks for strong; within reach is two_factor); possible from 2026-03-01T15:00:00+00:00",
            id="refuse",
        ),
        pytest.param(
            facts(request=SILENT, client=NOTES),
            "refuse with consent_required: This request needs the person, and prompt=none forbids asking "
            "(the person has not agreed to it yet)",
            id="silent",
        ),
    ],
)
def test_a_decision_is_explained_check_by_check(given: Facts, said: str) -> None:
    lines = explain(given, default_policy())
    assert lines[-1].check == "answer"
    assert lines[-1].found == said
    checked = [line.check for line in lines[:-1]]
    assert checked == [check.name for check in CHECKS][: len(checked)]
    assert (len(checked) == len(CHECKS)) == isinstance(answer(given), Proceed)
    assert [line.found for line in lines[:-2]] == [check.passes for check in CHECKS][: len(checked) - 1]


def test_every_reason_is_told_in_plain_words() -> None:
    told = [because(Reason(why, scope="s", level=AssuranceLevel.STRONG)) for why in Why]
    assert not [words for words, why in zip(told, Why, strict=True) if f"{why}" in words and why is not Why.MAX_AGE]
    assert because(Reason(Why.SCOPE_NEEDS_FRESH, scope="s")) == "s needs a fresh proof"


OURSELVES = Client("stile", "Acme ID", AuthMethod.NONE, scopes=EVERY_SCOPE, first_party=True)


def room(change: Change | None, *proofs: AuthenticationEvent, **changes: Any) -> Facts:
    """Anna at the door of a room of the account pages, having proved this much there."""
    made_there = tuple(replace(proof, client_id="stile") for proof in (PASSWORD, *proofs))
    asked = {"change": change}
    return facts("authenticators:write", client=OURSELVES, request=asked, internal=True, events=made_there, **changes)


SMS_NOW, TOTP_NOW, PAPER_NOW = proved(Factor.SMS, 60), proved(Factor.TOTP, 60), proved(Factor.RECOVERY, 60)
WITH_PAPER = {"authenticators": (PHONE, APP, PAPER)}


@pytest.mark.parametrize("change", BY_ONESELF)
def test_who_has_an_app_changes_it_with_the_app_or_a_saved_code_and_is_asked_for_nothing_else(change: Change) -> None:
    assert asks(room(change, **WITH_PAPER)).factors == (Factor.TOTP, Factor.RECOVERY)
    assert asks(room(change, SMS_NOW, **WITH_PAPER)).factors == (Factor.TOTP, Factor.RECOVERY)
    assert asks(room(change, SMS_NOW)).factors == (Factor.TOTP,)
    proceeds(room(change, TOTP_NOW, **WITH_PAPER))
    proceeds(room(change, PAPER_NOW, **WITH_PAPER))


def test_who_has_no_app_adds_one_with_a_fresh_text_message() -> None:
    assert asks(room(Change.ADD_APP, authenticators=(PHONE,))).factors == (Factor.SMS,)
    assert asks(room(Change.ADD_APP, SMS, authenticators=(PHONE,))).factors == (Factor.SMS,)
    proceeds(room(Change.ADD_APP, SMS_NOW, authenticators=(PHONE,)))


def test_who_can_prove_nothing_that_permits_the_change_is_refused() -> None:
    assert (
        refuses(room(Change.REMOVE_APP, SMS_NOW, authenticators=(PHONE, replace(APP, enrolled_in=HERE)))).error == UNMET
    )


def test_a_change_is_the_account_pages_business_alone() -> None:
    given = room(Change.ADD_APP, SMS_NOW, **WITH_PAPER)
    assert proceeds(replace(given, internal=False)).scopes == ("openid",)
