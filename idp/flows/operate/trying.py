"""A sign-in tried out: what somebody would be asked, and what they and the client would get. Nothing is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from idp.errors import OAuthError
from idp.flows.idp import Idp, as_client
from idp.flows.operate.finding import Person, find_client, find_user
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import permit
from idp.flows.operate.telling import Told, to_client, to_machine
from idp.flows.operate.walk import Walk, by_itself, some_client, somebody, usual_scopes, walk
from idp.model import Client, Details, Factor, Prompt
from idp.oidc import details
from idp.policy import Act, Policy, Site, Wanted, host_of, left_out, wanted
from idp.sentences import sentence


@dataclass(frozen=True, slots=True)
class Asked:
    """What is tried. No `username`: somebody with a phone and an app; no `client`: one that may ask for everything.

    `scopes` empty: a sign-in. `site` is an address of a site behind a proxy that is opened, which says who asks and for
    what. `signed_in_with` names the factor by which they signed in elsewhere ten minutes ago;
    `details` is the JSON of what they are to approve.
    """

    username: str | None = None
    client: str | None = None
    scopes: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: timedelta | None = None
    prompts: frozenset[Prompt] = frozenset()
    signed_in_with: str | None = None
    details: str | None = None
    site: str | None = None


@dataclass(frozen=True, slots=True)
class Tried:
    """The questions and the answer, and what of the request has no part in it, with the reason of each.

    `told` is what the client's tokens would say; None where it gets none, or what was approved alone.
    """

    client: Client
    scopes: tuple[str, ...]
    walked: Walk
    left_out: Mapping[str, str]
    told: Told | None = None


async def try_sign_in(idp: Idp, asked: Asked, *, policy: Policy | None = None) -> Tried:
    """Walk through a request as `decide` would, by this policy or the one in use.

    Raises `NotThere`, and `NotAcceptable` for a factor or a site that the policy does not have, for an address that is
    refused, and for details that are none.
    """
    permit(idp, Act.SEE_POLICY)
    person = None if asked.username is None else await find_user(idp, asked.username)
    client = None if asked.client is None else await find_client(idp, asked.client)
    return tried(policy or idp.policy, asked, person=person, client=client, issuer=idp.issuer, now=idp.clock.now())


def tried(
    policy: Policy, asked: Asked, *, person: Person | None, client: Client | None, issuer: str, now: datetime
) -> Tried:
    """The same, of whom and what was found."""
    factor = _factor(asked.signed_in_with, policy)
    account, authenticators = somebody(now, also=factor)
    if person is not None:
        account, authenticators = person.account, person.authenticators
    if asked.site is not None:
        opened, needed = _address(asked.site, policy)
        if client is not None or asked.scopes or asked.details is not None:
            raise NotAcceptable(sentence("An address says by itself who asks, and for what."))
        asked, client = replace(asked, scopes=("openid", *needed.scopes)), as_client(opened)
        if person is None:
            account = replace(account, groups=account.groups.union(*needed.groups))
        elif not needed.lets_in(account.groups):
            said = f"403: {account.username} is in no group that gets in there, whatever they prove"
            return Tried(client, asked.scopes, Walk((), said, ()), {})
    client = client or some_client(policy)
    scopes = asked.scopes or tuple(usual_scopes(policy, client))
    walked = walk(
        policy,
        account=account,
        authenticators=authenticators,
        client=client,
        scopes=scopes,
        acr_values=asked.acr_values,
        max_age=asked.max_age,
        prompts=asked.prompts,
        signed_in_with=factor,
        details=None if asked.details is None else _details(asked.details, client, policy),
        now=now,
    )
    told = None
    if walked.by_itself:
        told = to_machine(policy, client, by_itself(policy, client, scopes), issuer=issuer, now=now)
    elif walked.proceed is not None and asked.details is None and asked.site is None:
        told = to_client(policy, client, walked.proceed, account, authenticators, issuer=issuer, now=now)
    return Tried(client, scopes, walked, _left_out(policy, client, scopes, asked.acr_values), told)


def _address(text: str, policy: Policy) -> tuple[Site, Wanted]:
    """The site that an address is of, as a browser shows it, and what is needed there."""
    head, slashes, rest = text.partition("://")
    host, slash, path = (rest if slashes else head).partition("/")
    site = policy.sites.get(host_of(host) or "")
    if site is None:
        raise NotAcceptable(
            sentence(
                "The policy has no site %(host)s: there are %(sites)s.",
                host=repr(host),
                sites=", ".join(policy.sites) or sentence("none"),
            )
        )
    found = wanted(site, f"/{path}" if slash else "/")
    if found is None:
        raise NotAcceptable(
            sentence("%(path)s is refused (403): applications differ in where this path leads.", path=f"/{path}")
        )
    return site, found


def _details(text: str, client: Client, policy: Policy) -> Details:
    try:
        return details.parse(text, client=client, rules=policy.details, pushed=True)
    except OAuthError as error:
        raise NotAcceptable(error.description) from None


def _factor(name: str | None, policy: Policy) -> Factor | None:
    if name is None:
        return None
    if name not in policy.factors:
        raise NotAcceptable(
            sentence(
                "%(name)s is no factor of the policy: there are %(factors)s.",
                name=repr(name),
                factors=", ".join(policy.factors),
            )
        )
    return Factor(name)


def _left_out(policy: Policy, client: Client, scopes: tuple[str, ...], acr_values: tuple[str, ...]) -> dict[str, str]:
    """What was asked for and has no part in the decision, with the reason (RFC 6749 3.3, OIDC Core 3.1.2.1)."""
    itself, known = by_itself(policy, client, scopes), set(policy.levels.values())
    return left_out(policy, client, [scope for scope in scopes if scope not in itself]) | {
        acr: "the policy has no level of that name" for acr in acr_values if acr not in known
    }
