"""Signing in to a site: sent to the authorization endpoint as any client sends people, and back with a code."""

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from idp.audit import Authorized
from idp.crypto import digest, random_token
from idp.errors import OAuthError
from idp.flows.idp import CALLBACK_PATH, SITE_PATH, Idp, as_client
from idp.flows.sites import passes
from idp.flows.sites.guard import NotForThem, Open, look
from idp.flows.sites.passes import Going
from idp.flows.tokens import codes
from idp.model import AuthorizationCode
from idp.oidc import grants, metadata
from idp.oidc.params import Params
from idp.policy import Site, wanted
from idp.store.signin import sites

NOT_IN_GROUP = "not_in_group"  # beside the errors that the authorization endpoint answers with
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_WAY = 1_200  # of what comes back beside a code, in an address that has room for both


@dataclass(frozen=True, slots=True)
class ToProvider:
    """On to the authorization endpoint; the browser is known by `key` when it comes back."""

    location: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entered:
    """On to the path that they wanted. `cookie` is the pass that opens it, None to keep what the browser has."""

    to: str
    cookie: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NotEntered:
    """Not let in, and why: an error of the authorization endpoint, or ours. `to` is the path that they wanted.

    `unmet` says more of who cannot prove enough, as `Barrier` and `Missing` have it.
    """

    error: str
    to: str = "/"
    unmet: str = ""


def begin(idp: Idp, site: Site, to: str, *, key: str | None) -> ToProvider:
    """Send somebody to sign in who wants to go to this path of the site; any other address leads to its beginning.

    Each tab has its own state, and all of a browser are known by one key: none is lost when another begins.
    """
    path = way(site, to)
    known = key if key is not None and _KEY.fullmatch(key) else random_token()
    asked = wanted(site, path)
    assert asked is not None, "a path that was looked at"
    going, state = passes.state(idp, site, path, key=known)
    parameters = {
        "client_id": site.client_id,
        "redirect_uri": site.origin + CALLBACK_PATH,
        "response_type": "code",
        "scope": " ".join(("openid", *asked.scopes)),
        "state": state,
        # RFC 7636 4.2
        "code_challenge": base64.urlsafe_b64encode(digest(going.verifier)).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return ToProvider(f"{idp.issuer}{metadata.AUTHORIZE}?{urlencode(parameters)}", known)


def way(site: Site, to: str) -> str:
    """The path of this site that somebody wants to go to: "/" for what leads elsewhere, means anything, or is ours."""
    # OAU-20: two slashes would be another host
    astray = to.startswith("//") or not to.isascii() or not to.isprintable() or " " in to or "#" in to
    if astray or wanted(site, to) is None or to.startswith(f"{SITE_PATH}/"):
        return "/"
    if len(to) > _LONGEST_WAY:
        to = to.partition("?")[0]
    return to if len(to) <= _LONGEST_WAY else "/"


async def finish(idp: Idp, site: Site, params: Params, *, key: str | None) -> Entered | NotEntered:
    """The answer of the authorization endpoint, in the browser that was sent there: in by exactly one use of each code.

    Who comes once more with the same answer is led where they wanted to go, with what the first one brought them.
    """
    going = passes.going(idp, site, params.get("state", ""))
    if going is None:
        return NotEntered("invalid_request")
    if not passes.is_by(going, key) or params.get("iss") != idp.issuer:
        # RFC 9700 4.7: what this browser did not begin is not finished in it; RFC 9207 2.4
        return NotEntered("invalid_state", going.to)
    asked = wanted(site, going.to)
    if asked is None:
        return NotEntered("invalid_request")  # the rows are others meanwhile
    if "code" not in params:
        return NotEntered(params.get("error", "invalid_request"), going.to, params.get("unmet", ""))
    code = await _used(idp, site, params, going)
    if code is None:
        return Entered(going.to, None)
    session_id, account_id = code.grant.session_id, code.grant.account_id
    assert session_id is not None
    assert account_id is not None
    match await look(idp, site, asked, session_id, account_id, now=idp.clock.now()):
        case Open(cookie=new):
            return Entered(going.to, new)
        case NotForThem():
            return NotEntered(NOT_IN_GROUP, going.to)
        case _:
            return NotEntered("invalid_grant", going.to)


async def _used(idp: Idp, site: Site, params: Params, going: Going) -> AuthorizationCode | None:
    """The code, used up; None for one that is not good, or was used before."""
    carried = await codes.read(idp, params["code"])
    if carried is None:
        return None
    given = {
        "grant_type": "authorization_code",
        "code": params["code"],
        "redirect_uri": site.origin + CALLBACK_PATH,
        "code_verifier": going.verifier,
    }
    now = idp.clock.now()
    try:
        grant = grants.check_code(carried.code, client=as_client(site), params=given, now=now)
    except OAuthError:
        return None
    entered = await sites.enter(
        idp.db,
        grant,
        code_hash=digest(f"{SITE_PATH}\n{grant.id}"),
        expires_at=carried.code.expires_at,
        generation=carried.generation,
        audit=Authorized(grant=str(grant.id), scopes=list(grant.scopes), acr=grant.acr or ""),
        sessions=idp.policy.sessions,
        now=now,
    )
    return carried.code if entered else None
