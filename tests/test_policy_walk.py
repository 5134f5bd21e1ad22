"""Every kind of request answered to its end by a person who does what is asked, with the promises checked at each step.

The rules of the product are not used to judge it: `check_proceed` counts proofs by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from math import gcd, prod
from typing import Any
from uuid import UUID

import pytest

from idp.model import (
    Account,
    AssuranceLevel,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    ClaimsRequest,
    Client,
    Factor,
    Prompt,
    Swap,
)
from idp.policy import Ask, Facts, Kind, Proceed, Refuse, decide
from tests.world.mailing import POLICY

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)
SECOND = timedelta(seconds=1)
HERE, EARLIER = UUID(int=101), UUID(int=102)
ANNA = Account(UUID(int=1), "anna", LONG_AGO, LONG_AGO)
MAILED = replace(ANNA, email="anna@example.com", email_verified=True)
UNSURE = replace(ANNA, email="anna@example.com")
BERT = Account(UUID(int=2), "bert", LONG_AGO, LONG_AGO)
TWO, STRONG, PHR = "urn:stile:2fa", "urn:stile:2fa-strong", "phr"
FRESH = {"transfers:write": None, "password:write": timedelta(minutes=5)}
LETTERS = "letters:read"  # two factors, proved within five minutes: the weakest that is fresh
SCOPES = frozenset({"openid", "email", "offline_access", LETTERS, *FRESH})
BANK = Client("bank", "Bank", AuthMethod.BASIC, scopes=SCOPES, first_party=True)
NOTES = Client("notes", "Notes", AuthMethod.NONE, scopes=SCOPES)
MOST_ASKS = 8
WALKS = 35_000  # of about nine million; any three values of any three dimensions still meet, and a test says so
STRIDE = 1_308_257


def device(number: int, factor: Factor, **changes: Any) -> Authenticator:
    made = Authenticator(UUID(int=number), ANNA.id, factor, factor, "", LONG_AGO, LONG_AGO, confirmed_at=LONG_AGO)
    return replace(made, **changes)


PHONE, PAPER = device(11, Factor.SMS), device(12, Factor.RECOVERY, remaining=5)
APP = device(13, Factor.TOTP)
HELD = replace(APP, trusted_at=NOW + timedelta(hours=1))
INSIDE = replace(APP, enrolled_in=HERE)
DEVICES = {Factor.SMS: PHONE.id, Factor.RECOVERY: PAPER.id, Factor.TOTP: APP.id}


def past(*proofs: tuple[Factor, float], client: str = "bank") -> tuple[AuthenticationEvent, ...]:
    return tuple(
        AuthenticationEvent(factor, NOW - timedelta(seconds=ago), ANNA.id, client, EARLIER, DEVICES.get(factor))
        for factor, ago in proofs
    )


HISTORIES = (
    (),
    past((Factor.PASSWORD, 40)),
    past((Factor.PASSWORD, 1000), (Factor.SMS, 990)),
    past((Factor.PASSWORD, 40), (Factor.TOTP, 10)),
    past((Factor.PASSWORD, 1000), (Factor.TOTP, 990)),
    past((Factor.PASSWORD, 40), (Factor.TOTP, 10), client="notes"),
    past((Factor.PASSWORD, 1000), (Factor.SMS, 30)),
    past((Factor.PASSWORD, 1000), (Factor.EMAIL, 30)),
    past((Factor.PASSWORD, 72_010), (Factor.TOTP, 72_000), (Factor.PASSWORD, 40)),
    past((Factor.PASSWORD, 72_010), (Factor.TOTP, 72_000)) + past((Factor.PASSWORD, 40), client="notes"),
    past((Factor.PASSWORD, 1900), (Factor.TOTP, 1890), (Factor.PASSWORD, 40), (Factor.SMS, 30)),
    past((Factor.PASSWORD, 72_010), (Factor.SMS, 72_000)) + past((Factor.TOTP, 5), client="notes"),
)
HAVING: tuple[tuple[Authenticator, ...], ...] = (
    (),
    (PHONE,),
    (APP,),
    (PHONE, PAPER, APP),
    (PHONE, HELD),
    (PHONE, INSIDE),
    (PHONE, PAPER),
)
ASKED = (
    ("openid",),
    ("openid", "transfers:write"),
    ("email", "password:write", "openid"),
    ("openid", "email", "offline_access"),
    ("transfers:write",),
    ("openid", LETTERS),
)
PREFERRED: tuple[tuple[str, ...], ...] = ((), (STRONG,), (STRONG, TWO), (TWO, STRONG), ("unheard-of", PHR))
ESSENTIAL: tuple[tuple[str, ...], ...] = ((), (STRONG,), (PHR, TWO), (PHR,))
AGES = (None, timedelta(0), timedelta(seconds=60), timedelta(seconds=10_000))
PROMPTS: tuple[frozenset[Prompt], ...] = (
    frozenset(),
    frozenset({Prompt.NONE}),
    frozenset({Prompt.LOGIN}),
    frozenset({Prompt.CONSENT}),
    frozenset({Prompt.SELECT_ACCOUNT, Prompt.LOGIN}),
    frozenset({Prompt.SELECT_ACCOUNT}),
)
CLIENTS = ((BANK, frozenset[str]()), (NOTES, frozenset[str]()), (NOTES, SCOPES))
SUBJECTS = (None, str(ANNA.id), str(BERT.id))
TICKS_ALL = (True, False)
SIMS = (None, Swap.UNKNOWN)  # nobody asks about them, or nobody can tell: a sign-in is the same
PEOPLE = (ANNA, MAILED, UNSURE)
DIMENSIONS: tuple[tuple[object, ...], ...] = (
    HISTORIES,
    HAVING,
    ASKED,
    PREFERRED,
    ESSENTIAL,
    AGES,
    PROMPTS,
    CLIENTS,
    SUBJECTS,
    TICKS_ALL,
    SIMS,
    PEOPLE,
)


@dataclass
class Tally:
    proceeds: int = 0
    refusals: int = 0
    asks: int = 0
    stronger: int = 0
    mailed: int = 0


def chosen() -> Iterator[tuple[int, ...]]:
    """Indices of the cases walked: the same on every run, spread evenly over all combinations."""
    sizes = [len(dimension) for dimension in DIMENSIONS]
    total = prod(sizes)
    assert gcd(STRIDE, total) == 1
    for turn in range(WALKS):
        place = turn * STRIDE % total
        indices = []
        for size in sizes:
            place, index = divmod(place, size)
            indices.append(index)
        yield tuple(indices)


CASES = tuple(chosen())


def facts_of(indices: tuple[int, ...]) -> tuple[Facts, bool]:
    history, having, scopes, preferred, essential, age, prompts, client_of, subject, ticks, sim, person = indices
    events = HISTORIES[history]
    client, consented = CLIENTS[client_of]
    request = AuthorizationRequest(
        client.id,
        "https://rp.example/cb",
        ASKED[scopes],
        prompts=PROMPTS[prompts],
        max_age=AGES[age],
        acr_values=PREFERRED[preferred],
        claims=ClaimsRequest(essential_acr=ESSENTIAL[essential]),
        hint_subject=SUBJECTS[subject],
    )
    account = PEOPLE[person] if events else None
    known = HAVING[having] if account else ()
    checked = SIMS[sim] is not None
    facts = Facts(NOW, client, request, NOW, HERE, account, events, known, consented, numbers_checked=checked)
    return facts, TICKS_ALL[ticks]


def replies(
    facts: Facts, ask: Ask, person: Account, having: tuple[Authenticator, ...], *, ticks: bool
) -> Iterator[Facts]:
    """The facts after each thing the person could do on this page, one second later."""
    now = facts.now + SECOND
    if ask.kind is Kind.SELECT_ACCOUNT:
        yield replace(facts, now=now, account_chosen=True)
    elif ask.kind is Kind.CONSENT:
        yield replace(facts, now=now, consented_here=frozenset(ask.scopes if ticks else ()))
    else:
        assert ask.factors
        for factor in ask.factors:
            event = AuthenticationEvent(factor, now, ANNA.id, facts.client.id, HERE, DEVICES.get(factor))
            if facts.numbers_checked and factor is Factor.SMS:
                event = replace(event, swap=Swap.UNKNOWN)
            events = (*facts.events, event)
            proved = replace(facts, now=now, account=person, authenticators=having, events=events)
            # Who gives a second factor agrees to what its page names.
            yield replace(proved, consented_here=frozenset(ask.scopes)) if ask.scopes else proved


def check_ask(facts: Facts, ask: Ask) -> None:
    assert Prompt.NONE not in facts.request.prompts
    if ask.kind is Kind.SECOND_FACTOR:
        assert any(event.factor is Factor.PASSWORD for event in facts.events)
        having = {each.factor for each in facts.authenticators if each.enrolled_in != HERE}
        assert set(ask.factors) <= having | ({Factor.EMAIL} if facts.account == MAILED else set())
        unticked = {LETTERS, *FRESH} - facts.consented_here if facts.consented_here is not None else frozenset()
        if LETTERS in set(facts.request.scopes) - unticked:
            assert Factor.EMAIL not in ask.factors
        # Who proved it strongly before may still have to prove it freshly.
        earlier = LETTERS in facts.request.scopes and any(is_strong(event, facts) for event in facts.events)
        essential = facts.request.claims.essential_acr == (STRONG,) and not earlier
        if (set(facts.request.scopes) & set(FRESH)) - unticked or essential:
            assert ask.factors == (Factor.TOTP,)
            assert APP in facts.authenticators
    if ask.kind is Kind.CONSENT:
        assert set(ask.scopes) <= set(facts.request.scopes)
        assert facts.consented_here is None


def is_strong(event: AuthenticationEvent, facts: Facts) -> bool:
    """By this test's own reckoning: an app that is trusted, asked for this very client."""
    return event.factor is Factor.TOTP and event.client_id == facts.client.id and APP in facts.authenticators


def check_proceed(facts: Facts, found: Proceed, tally: Tally) -> None:
    request, context = facts.request, found.context
    counted = context.proofs
    assert set(counted) <= set(facts.events)
    # Promise 1: a password and something else, by devices that are not of this very interaction.
    assert counted[0].factor is Factor.PASSWORD
    assert {event.factor for event in counted} - {Factor.PASSWORD}
    assert context.level >= AssuranceLevel.TWO_FACTOR
    assert not (INSIDE in facts.authenticators and any(event.factor is Factor.TOTP for event in counted))
    tally.mailed += any(event.factor is Factor.EMAIL for event in counted)
    # Promise 2 and scopes: never more than asked, openid never lost, each one agreed to.
    assert set(found.scopes) <= set(request.scopes)
    assert ("openid" in request.scopes) == ("openid" in found.scopes)
    agreed = facts.consented_here or frozenset()
    for scope in found.scopes:
        if scope in FRESH or scope == LETTERS:
            assert scope in agreed
        elif scope != "openid":
            assert facts.client.first_party or scope in facts.consented | agreed
    if "offline_access" in found.scopes:
        assert Prompt.CONSENT in request.prompts or facts.client.first_party or "offline_access" in facts.consented
    # Promises 3 and 4: strong scopes on a trusted app's proof, for this client, and as fresh as the scope says.
    strong = [event for event in counted if is_strong(event, facts)]
    assert (context.level is AssuranceLevel.STRONG) == bool(strong)
    assert context.strong_at == (strong[-1].at if strong else None)
    for scope in set(found.scopes) & set(FRESH):
        tally.stronger += 1
        age = FRESH[scope]
        assert any(event.interaction_id == HERE if age is None else event.at >= facts.now - age for event in strong)
        assert Prompt.NONE not in request.prompts
    if LETTERS in found.scopes:
        young = [event for event in counted if event.at >= facts.now - timedelta(minutes=5)]
        assert {event.factor for event in young if event.client_id == facts.client.id} - {Factor.PASSWORD, Factor.EMAIL}
        assert Prompt.NONE not in request.prompts
    # What the client asked for: its age, its person, its acr.
    if Prompt.LOGIN in request.prompts or request.max_age == timedelta(0):
        assert all(event.interaction_id == HERE for event in counted)
    elif request.max_age is not None:
        since = facts.now - request.max_age
        assert all(event.interaction_id == HERE or event.at >= since for event in counted)
    check_claims(facts, found)
    assert request.hint_subject in {None, str(ANNA.id)}
    check_acr(facts, found, strong=bool(strong))


NAMES = {Factor.PASSWORD: "pwd", Factor.SMS: "sms", Factor.EMAIL: "email", Factor.TOTP: "otp"}


def check_claims(facts: Facts, found: Proceed) -> None:
    """Promise 10: what `acr` and `amr` say was all proved at `auth_time` or later, and not all of it after that.

    Told by the events alone. An app is named where it counts as one.
    """
    context = found.context
    passwords = [event for event in facts.events if event.factor is Factor.PASSWORD]
    seconds = [
        event
        for event in facts.events
        if event.factor is not Factor.PASSWORD and event.at > passwords[0].at
        if is_strong(event, facts)
        or (context.acr == TWO and not (event.factor is Factor.TOTP and INSIDE in facts.authenticators))
    ]
    since = [event for event in facts.events if event.at >= context.auth_time]
    assert any(event in since for event in passwords)
    assert any(event in since for event in seconds)
    assert context.auth_time == min(passwords[-1].at, seconds[-1].at)
    last = seconds[-1]
    named = last.factor is not Factor.RECOVERY and (last.factor is not Factor.TOTP or is_strong(last, facts))
    assert set(context.amr) == {"pwd", "mfa"} | ({NAMES[last.factor]} if named else set())


def check_acr(facts: Facts, found: Proceed, *, strong: bool) -> None:
    request, acr = facts.request, found.context.acr
    earned = {TWO, STRONG} if strong else {TWO}
    assert acr in earned
    if request.claims.essential_acr:
        assert acr in request.claims.essential_acr
    elif set(found.scopes) & set(FRESH):
        assert acr == STRONG
    else:
        wanted = [value for value in request.acr_values if value in earned]
        assert acr == (wanted[0] if wanted else STRONG if strong else TWO)
        usable = any(each == APP for each in facts.authenticators)
        if STRONG in request.acr_values and not wanted:
            assert not usable


def check_refusal(facts: Facts, found: Refuse) -> None:
    request = facts.request
    asking = {"login_required", "interaction_required", "consent_required", "account_selection_required"}
    if found.error in asking:
        wrong_person = found.error == "login_required" and request.hint_subject == str(BERT.id)
        assert Prompt.NONE in request.prompts or wrong_person
    elif found.error == "access_denied":
        assert facts.consented_here == frozenset()
        assert "openid" not in request.scopes
    else:
        assert found.error == "unmet_authentication_requirements"
        needs_app = set(request.scopes) & set(FRESH) or STRONG in request.claims.essential_acr
        no_factor = not [each for each in facts.authenticators if each.enrolled_in != HERE]
        no_factor = no_factor and (facts.account != MAILED or LETTERS in request.scopes)
        assert no_factor or request.claims.essential_acr == (PHR,) or (needs_app and APP not in facts.authenticators)
    assert (found.retry_at is not None) <= (HELD in facts.authenticators)


def walk(start: Facts, person: Account, having: tuple[Authenticator, ...], tally: Tally, *, ticks: bool) -> None:
    """Answer every question in every offered way, until there is none; never the same one twice running."""
    paths: list[tuple[Facts, tuple[Ask, ...]]] = [(start, ())]
    while paths:
        facts, asked = paths.pop()
        found = decide(facts, POLICY)
        match found:
            case Proceed():
                tally.proceeds += 1
                check_proceed(facts, found, tally)
            case Refuse():
                tally.refusals += 1
                check_refusal(facts, found)
            case Ask():
                tally.asks += 1
                check_ask(facts, found)
                assert len(asked) < MOST_ASKS
                assert found not in asked, "asked the same again although it was answered"
                paths.extend((after, (*asked, found)) for after in replies(facts, found, person, having, ticks=ticks))


def test_the_cases_put_every_three_values_of_any_three_dimensions_together() -> None:
    sizes = [len(dimension) for dimension in DIMENSIONS]
    for three in combinations(range(len(sizes)), 3):
        met = {tuple(indices[place] for place in three) for indices in CASES}
        assert len(met) == sizes[three[0]] * sizes[three[1]] * sizes[three[2]], three


@pytest.mark.parametrize("part", range(4))
def test_no_walk_through_the_policy_breaks_a_promise_or_goes_in_circles(part: int) -> None:
    tally = Tally()
    for indices in CASES[part::4]:
        facts, ticks = facts_of(indices)
        walk(facts, PEOPLE[indices[-1]], HAVING[indices[1]], tally, ticks=ticks)
    # A walk that never arrives anywhere would prove nothing.
    assert min(tally.proceeds, tally.refusals, tally.asks) > 500
    assert tally.stronger > 50
    assert tally.mailed > 50
