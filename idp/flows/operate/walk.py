"""What a person would be asked for one request, step by step: the policy tried out. Nothing is stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from idp.model import (
    Account,
    AuthenticationEvent,
    Authenticator,
    AuthMethod,
    AuthorizationRequest,
    Client,
    Details,
    Factor,
    Prompt,
)
from idp.policy import (
    Ask,
    Facts,
    Kind,
    Line,
    Policy,
    Proceed,
    Why,
    decide,
    explain,
    in_words,
    left_out,
    not_for_this_person,
    site_of,
)

MOST_STEPS = 12  # password, second factor, step-up, choice and consent are five
EARLIER = timedelta(minutes=10)
_HERE = UUID(int=1)
_THERE = UUID(int=2)
ELSEWHERE = "another application"


@dataclass(frozen=True, slots=True)
class Step:
    """One question in words, and what the person answered it with."""

    asked: str
    answered: str


@dataclass(frozen=True, slots=True)
class Walk:
    """Every question up to the answer, the answer in words, and the last explanation.

    `proceed` is what the client is given by the person; None where it is nothing, or what it gets for itself.
    """

    steps: tuple[Step, ...]
    answer: str
    why: tuple[Line, ...]
    proceed: Proceed | None = None
    by_itself: bool = False

    @property
    def granted(self) -> bool:
        """Whether the client gets anything."""
        return self.by_itself or self.proceed is not None


def somebody(now: datetime, *, also: Factor | None = None) -> tuple[Account, tuple[Authenticator, ...]]:
    """A made-up person who has had a phone and an app for long, and a verified e-mail address; and one of `also`."""
    account = Account(
        id=UUID(int=3),
        username="somebody",
        created_at=now,
        updated_at=now,
        email="somebody@example.com",
        email_verified=True,
    )
    since = now - timedelta(days=365)
    more = (also,) if also is Factor.PASSKEY else ()
    return account, tuple(
        Authenticator(UUID(int=number), account.id, factor, factor.value, "", since, since, since)
        for number, factor in enumerate(dict.fromkeys((Factor.SMS, Factor.TOTP, *more)), 4)
    )


def some_client(policy: Policy, *, scopes: Sequence[str] | None = None) -> Client:
    """A made-up client that may ask people for these scopes, or for everything, and has to ask for consent."""
    if scopes is None:
        scopes = [name for name in policy.for_people() if not policy.scopes[name].internal]
    return Client(
        id="some-client",
        name="Some client",
        auth_method=AuthMethod.NONE,
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scopes=frozenset(scopes),
        details_types=frozenset(policy.details),
    )


def by_itself(policy: Policy, client: Client, scopes: Sequence[str]) -> tuple[str, ...]:
    """What the client gets of this for itself; nothing where a person could grant it some (RFC 6749 4.4)."""
    kinds = client.grant_types
    if "client_credentials" not in kinds:
        return ()
    if "authorization_code" in kinds and left_out(policy, client, scopes).keys() < set(scopes):
        return ()
    return tuple(scope for scope in scopes if scope in client.scopes & policy.for_machines())


def usual_scopes(policy: Policy, client: Client) -> list[str]:
    """What is asked for where nothing is said: all of a client that signs nobody in, else a sign-in."""
    if "authorization_code" in client.grant_types:
        return ["openid"]
    return sorted(client.scopes & policy.for_machines()) or ["openid"]


def walk(
    policy: Policy,
    *,
    account: Account,
    authenticators: Sequence[Authenticator],
    client: Client,
    scopes: Sequence[str],
    acr_values: Sequence[str] = (),
    max_age: timedelta | None = None,
    prompts: frozenset[Prompt] = frozenset(),
    signed_in_with: Factor | None = None,
    details: Details | None = None,
    now: datetime,
) -> Walk:
    """Answer every question with the first thing offered until the policy grants or refuses.

    With `signed_in_with` the person signed in to another application ten minutes ago, by password and that factor.
    """
    if details is None and (own := by_itself(policy, client, scopes)):
        said = f"{client.name} gets {' '.join(own)} for itself, by client_credentials: no person is asked"
        return Walk((), said, (), by_itself=True)
    events = _earlier(account, authenticators, signed_in_with, now=now)
    facts = Facts(
        now=now,
        client=client,
        request=AuthorizationRequest(
            client_id=client.id,
            redirect_uri=client.redirect_uris[0] if client.redirect_uris else "https://client.example/callback",
            scopes=tuple(scopes),
            acr_values=tuple(acr_values),
            max_age=max_age,
            prompts=prompts,
            details=details,
        ),
        started_at=now,
        interaction_id=_HERE,
        account=account if events else None,
        events=events,
        authenticators=tuple(authenticators) if events else (),
        guards=site_of(client.id) is not None,
    )
    steps: list[Step] = []
    answer = decide(facts, policy)
    while isinstance(answer, Ask) and answer.reason.why is not Why.NOT_IN_GROUP and len(steps) < MOST_STEPS:
        facts, done = _answered(facts, answer, account, authenticators)
        steps.append(Step(in_words(answer), done))
        answer = decide(facts, policy)
    if isinstance(answer, Ask) and answer.reason.why is Why.NOT_IN_GROUP:
        answer = not_for_this_person(facts)
    why = tuple(explain(facts, policy))
    return Walk(tuple(steps), in_words(answer), why, answer if isinstance(answer, Proceed) else None)


def _earlier(
    account: Account, authenticators: Sequence[Authenticator], factor: Factor | None, *, now: datetime
) -> tuple[AuthenticationEvent, ...]:
    if factor is None:
        return ()
    at = now - EARLIER
    with_what = next((one.id for one in authenticators if one.factor is factor), None)
    password = AuthenticationEvent(Factor.PASSWORD, at, account.id, ELSEWHERE, _THERE)
    return password, AuthenticationEvent(factor, at, account.id, ELSEWHERE, _THERE, with_what)


def _answered(facts: Facts, ask: Ask, account: Account, authenticators: Sequence[Authenticator]) -> tuple[Facts, str]:
    """The facts after the person did what was asked."""
    now = facts.now + timedelta(seconds=1)
    match ask.kind:
        case Kind.PASSWORD:
            proof = AuthenticationEvent(Factor.PASSWORD, now, account.id, facts.client.id, _HERE)
            events = (*facts.events, proof)
            known = tuple(authenticators)
            return replace(facts, now=now, account=account, authenticators=known, events=events), "gives the password"
        case Kind.SECOND_FACTOR:
            factor = ask.factors[0]
            with_what = next((one.id for one in facts.authenticators if one.factor is factor), None)
            proof = AuthenticationEvent(factor, now, account.id, facts.client.id, _HERE, with_what)
            facts = replace(facts, now=now, events=(*facts.events, proof))
            if facts.request.details is not None:
                facts = replace(facts, approved_here=True, consented_here=frozenset(ask.scopes))
                return facts, f"approves it by the code: {factor}"
            if ask.scopes:
                facts = replace(facts, consented_here=frozenset(ask.scopes))
            return facts, f"gives the code: {factor}"
        case Kind.APPROVAL:
            approved = replace(facts, now=now, approved_here=True, consented_here=frozenset(ask.scopes))
            return approved, "presses the button that approves it"
        case Kind.CONSENT:
            return replace(facts, now=now, consented_here=frozenset(ask.scopes)), "ticks everything"
        case Kind.SELECT_ACCOUNT:
            return replace(facts, now=now, account_chosen=True), "continues as the same person"
        case Kind.NEW_PASSWORD:
            own = replace(account, password_until=None)
            return replace(facts, now=now, account=own), "chooses a password of their own"
