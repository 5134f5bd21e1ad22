"""What every flow is given: the running provider, and who is at the door. No rules here."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import UUID

from idp.addresses import address_bucket
from idp.clock import Clock
from idp.crypto import KeyChain, digest, equal, mac, random_token
from idp.errors import Unavailable
from idp.factors.password import PasswordThreads
from idp.flows.checks.findings import Seen
from idp.limits import Limits, LimitState
from idp.model import AuthMethod, Client
from idp.policy import RIGHTS, Policy, Site, site_of
from idp.settings import Settings
from idp.spending import Spending
from idp.store.engine import Database

if TYPE_CHECKING:  # what only a server needs: a command has no time to load it
    from idp.oidc.keys import KeyRing
    from idp.sms.intel import NumberIntel

INTERNAL = "stile"  # the client id of our own account pages
CONSOLE = "stile-admin"  # of the administrators' console: what is proved for one opens nothing of the other
OURS = frozenset({INTERNAL, CONSOLE})  # no registered client may have one of these
ACCOUNT_PATH = "/account"
CONSOLE_PATH = "/admin"
# Of a site behind a proxy, which passes on to us what is below this path.
SITE_PATH = "/.stile"
CALLBACK_PATH = f"{SITE_PATH}/callback"
SIGNED_OUT_PATH = f"{SITE_PATH}/signed-out"
_UNTRIED = len(random_token())


@dataclass(slots=True)
class Idp:
    """The running provider. `clients` and `keys` are replaced whole when the database says that they changed.

    `intel` is asked whether a SIM was changed before a code goes to it; None: nobody is. `old_secrets`: when a client
    was last seen with its secret before, by its id. `api_calls`: how often who called the API in the last minute;
    `api_waits`: which tokens came too often, by their hashes, and until when they wait.
    `trying` is held by whoever tries another policy.
    `at_hand` and `outside`: what a check-up found here, and what others answered.
    """

    settings: Settings
    db: Database
    clock: Clock
    policy: Policy
    secrets: KeyChain
    passwords: PasswordThreads
    spending: Spending
    clients: Mapping[str, Client] = field(default_factory=dict)
    ring: "KeyRing | None" = None
    intel: "NumberIntel | None" = None
    old_secrets: dict[str, datetime] = field(default_factory=dict)
    api_calls: dict[tuple[str, UUID | None], LimitState] = field(default_factory=dict)
    api_waits: dict[bytes, datetime] = field(default_factory=dict, repr=False)
    trying: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    at_hand: Seen = field(default_factory=Seen)
    outside: Seen = field(default_factory=Seen)

    @property
    def issuer(self) -> str:
        """The issuer URL, without a trailing slash."""
        return self.settings.issuer

    @property
    def limits(self) -> Limits:
        """How often things may be tried, as the policy says."""
        return self.policy.limits

    @property
    def keys(self) -> "KeyRing":
        """The signing keys. Raises `Unavailable` before they were read."""
        if self.ring is None:
            raise Unavailable("The signing keys have not been read yet.")
        return self.ring

    def client(self, client_id: str) -> Client | None:
        """A client by its id: a registered one, a site of the policy, or our own pages."""
        if client_id in OURS:
            return self.account_pages() if client_id == INTERNAL else self.console()
        return self.registered(client_id)

    def registered(self, client_id: str) -> Client | None:
        """A client by its id, for requests from outside: a registered one, or a site of the policy."""
        host = site_of(client_id)
        site = None if host is None else self.policy.sites.get(host)
        return self.clients.get(client_id) if site is None else as_client(site)

    def applications(self) -> Mapping[str, Client]:
        """All that people may be sent on to, by id: what is registered, and the sites of the policy."""
        return {**self.clients, **{site.client_id: as_client(site) for site in self.policy.sites.values()}}

    def account_pages(self) -> Client:
        """Ourselves as a client: the account pages ask the same `decide` as everybody else."""
        return Client(
            id=INTERNAL,
            name=self.settings.brand,
            auth_method=AuthMethod.NONE,
            redirect_uris=(ACCOUNT_PATH,),
            scopes=frozenset({"openid", "password:write", "authenticators:write"}),
            first_party=True,
        )

    def console(self) -> Client:
        """The administrators' console as a client of its own: its elevation is not the account pages'."""
        return Client(
            id=CONSOLE,
            name=self.settings.brand,
            auth_method=AuthMethod.NONE,
            redirect_uris=(CONSOLE_PATH,),
            scopes=frozenset({"openid"} | {scope for right in RIGHTS.values() for scope in right.scopes}),
            first_party=True,
        )


def as_client(site: Site) -> Client:
    """A site as the client that it is. It has no secret, so nobody exchanges its codes but we ourselves."""
    return Client(
        id=site.client_id,
        name=site.title,
        auth_method=AuthMethod.BASIC,
        redirect_uris=(site.origin + CALLBACK_PATH,),
        post_logout_redirect_uris=(site.origin + SIGNED_OUT_PATH,),
        scopes=frozenset({"openid", *site.scopes}),
        first_party=True,
        groups=site.places[0].groups,
        home_uri=f"{site.origin}/",
    )


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser at the door: its session token and device cookie as sent, its address as we believe it.

    `locale` is the shipped language it asks for by itself; `chose_language` when somebody chose it on a page of ours.
    """

    address: str
    token: str | None = field(default=None, repr=False)
    device: str | None = field(default=None, repr=False)
    user_agent: str = ""
    locale: str | None = None
    chose_language: bool = False

    @property
    def session_id(self) -> UUID | None:
        """The session that the token was made for; whether it still opens it, a look-up by `token_hash` tells."""
        claimed, dot, _ = (self.token or "").partition(".")
        try:
            return UUID(hex=claimed) if dot and len(claimed) == 32 else None
        except ValueError:
            return None

    @property
    def untried(self) -> bool:
        """Whether no proof or change brought this token (`next_token`): nothing rests on the session that it names."""
        _, _, rest = (self.token or "").partition(".")
        return len(rest.partition(".")[0]) == _UNTRIED

    @property
    def token_hash(self) -> bytes | None:
        """What the session is found by."""
        return None if self.token is None else digest(self.token)


def is_stored(client_id: str) -> bool:
    """Whether a client is one that is registered, with a row: neither our own pages nor a site."""
    return client_id not in OURS and site_of(client_id) is None


def session_token(secrets: KeyChain, session_id: UUID) -> str:
    """A new token for a session: its id, which stays, and 256 random bits, which change with every proof.

    The id lets a form be checked against its session without asking the database. It is no secret (applications know it
    as `sid`), so the whole is sealed: who knows the id cannot make a token that claims it.
    """
    return _sealed_token(secrets, f"{session_id.hex}.{random_token()}", secrets.current)


def next_token(secrets: KeyChain, token: str, session_id: UUID) -> str:
    """The token that follows `token`: derived, so that two answers to a form sent twice set the same cookie."""
    return _next_token(secrets, token, session_id, secrets.current)


def next_tokens(secrets: KeyChain, token: str, session_id: UUID) -> list[str]:
    """The same under every key, for another process may have made it with another one."""
    return [_next_token(secrets, token, session_id, key_id) for key_id in secrets.ids()]


def _next_token(secrets: KeyChain, token: str, session_id: UUID, key_id: str) -> str:
    secret = mac(secrets.subkey("session/next", key_id), token.encode(), session_id.bytes)
    return _sealed_token(secrets, f"{session_id.hex}.{secret.hex()}", key_id)


def _sealed_token(secrets: KeyChain, body: str, key_id: str) -> str:
    return f"{body}.{_session_seal(secrets, body, key_id)}"


def interaction_id(token: str, asked: str) -> UUID:
    """The id of what this browser asks for with this very token: one and the same for a form that is sent twice."""
    return UUID(bytes=digest(f"{token}\n{asked}")[:16], version=4)


def is_ours(secrets: KeyChain, token: str) -> bool:
    """Whether we made this session token, for whatever session, living or not."""
    body, _, seal = token.rpartition(".")
    seals = [_session_seal(secrets, body, key_id) for key_id in secrets.ids()]
    return any(equal(seal.encode(), made.encode()) for made in seals)


def _session_seal(secrets: KeyChain, body: str, key_id: str) -> str:
    return mac(secrets.subkey("session", key_id), body.encode()).hex()[:32]


def exempt(idp: Idp, visitor: Visitor) -> bool:
    """Whether the limits per address do not count for this visitor (IDP_TRUSTED_NETWORKS)."""
    try:
        address = ip_address(visitor.address)
    except ValueError:
        return False
    return any(address in network for network in idp.settings.trusted_networks)


def address_key(idp: Idp, visitor: Visitor) -> bytes:
    """The subject of a limit per address, keyed: a dump does not tell who was here."""
    return idp.secrets.index(address_bucket(visitor.address), purpose="address")


def device_key(idp: Idp, visitor: Visitor) -> bytes | None:
    """What this browser is found by, whoever signed in from it; None without a cookie of ours (threats 11)."""
    device = _read_device(idp, visitor.device)
    return None if device is None else digest(device)


def device_cookie(idp: Idp, visitor: Visitor) -> str:
    """The cookie by which this browser is known after a sign-in: the id it has, or a new one.

    That is derived, so that two answers to a form sent twice give the same one.
    """
    device = _read_device(idp, visitor.device)
    if device is None:
        device = mac(idp.secrets.subkey("device/new"), (visitor.token or random_token()).encode()).hex()
    return f"{device}.{_seal(idp, device, idp.secrets.current)}"


def _seal(idp: Idp, body: str, key_id: str) -> str:
    return mac(idp.secrets.subkey("device", key_id), b"cookie", body.encode()).hex()


def _read_device(idp: Idp, cookie: str | None) -> str | None:
    """The id in a device cookie that we sealed. What stands behind it was put there by older versions."""
    if cookie is None or len(cookie) > 512 or not cookie.isascii():
        return None
    body, _, seal = cookie.rpartition(".")
    seals = (_seal(idp, body, key_id) for key_id in idp.secrets.ids())
    if not body or not any(equal(seal.encode(), made.encode()) for made in seals):
        return None
    return body.partition(".")[0]
