"""Whether a request to a site may pass: by what the browser brings, else by the same `decide` as for every client."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from idp.flows.idp import CALLBACK_PATH, Idp, as_client
from idp.flows.signin.authorize import facts_of, paused
from idp.flows.sites import passes
from idp.flows.sites.passes import Pass, Person
from idp.model import AuthorizationRequest
from idp.policy import Ask, Proceed, Site, Wanted, Why, decide, good_until
from idp.store.signin import sites


@dataclass(frozen=True, slots=True)
class Open:
    """Let it pass; the application is told of this person. `cookie` is a newer pass, None to keep the one there is."""

    person: Person
    cookie: str | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """Nobody is signed in here, or, `further`, this takes more than they proved."""

    further: bool = False


@dataclass(frozen=True, slots=True)
class NotForThem:
    """This person is in no group that gets in here, whatever they prove."""


Verdict = Open | SignIn | NotForThem


async def judge(idp: Idp, site: Site, asked: Wanted, cookie: str | None) -> Verdict:
    """What becomes of a request that needs this. One statement, or none while what was found lasts."""
    held = passes.read(idp, site, cookie)
    if held is None:
        return SignIn()
    now = idp.clock.now()
    if all(scope in held.opens and now <= held.opens[scope] for scope in asked.scopes):
        return Open(held.person)
    return await look(idp, site, asked, held.session_id, held.account_id, before=held, now=now)


async def look(
    idp: Idp,
    site: Site,
    asked: Wanted,
    session_id: UUID,
    account_id: UUID,
    *,
    before: Pass | None = None,
    now: datetime,
) -> Verdict:
    """The same from what is stored of this session now. What `before` holds open is kept in the newer pass."""
    loaded = await sites.look(
        idp.db, session_id=session_id, account_id=account_id, sessions=idp.policy.sessions, now=now
    )
    if loaded.session is None or loaded.account is None:
        return SignIn()
    if not asked.lets_in(loaded.account.groups):
        return NotForThem()
    client = as_client(site)
    request = AuthorizationRequest(client.id, site.origin + CALLBACK_PATH, ("openid", *asked.scopes))
    facts = facts_of(idp, loaded, paused(idp, request, uuid4(), session_id, now=now), client, now=now)
    facts = replace(facts, interaction_id=None)
    match decide(facts, idp.policy):
        case Proceed(context=context):
            pass
        case Ask(reason=reason) if reason.why is Why.NOT_IN_GROUP:
            return NotForThem()
        case _:
            return SignIn(further=True)
    account, last = loaded.account, now + idp.policy.sessions.site
    person = Person(
        username=account.username,
        name=account.name or "",
        groups=tuple(sorted(account.groups)),
        email=account.email or "" if account.email_verified else "",
        acr=context.acr,
    )
    until = good_until(facts, idp.policy)
    opens = {scope: min(last, ends) if (ends := until[scope]) else last for scope in asked.scopes}
    if before is not None:
        kept = {scope: ends for scope, ends in before.opens.items() if ends > now and scope in site.scopes}
        opens = {**kept, **opens}
    made = passes.written(idp, site, Pass(session_id, account_id, person, opens))
    if not passes.fits(made, person):
        made = passes.written(idp, site, Pass(session_id, account_id, Person("")))
    return Open(person, made)
