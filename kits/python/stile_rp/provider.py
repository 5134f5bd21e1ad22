"""What the provider publishes: its metadata and its keys, kept and renewed. No claims are judged here."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from stile_rp import jose
from stile_rp.effects import Alone, Ask, Reply, Steps
from stile_rp.errors import Misconfigured, ProviderUnavailable, Untrusted
from stile_rp.settings import Settings, secure

METADATA_LIFE = 3600.0  # seconds
KEYS_LIFE = 600.0
OFFLINE = 24 * 3600.0  # so long keys are believed of a provider that does not answer
PAUSE = 10.0  # between two attempts, whatever strangers send

log = logging.getLogger("stile_rp")


class Provider:
    """One provider, as far as it says what it is. Shared by everything that asks or believes it."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.clock = clock
        self._metadata: Mapping[str, Any] = {}
        self._metadata_due = 0.0
        self._in_vain = 0  # how often nobody answered
        self._keys: dict[tuple[str | None, str], jose.Verify] = {}
        self._keys_at = float("-inf")  # when they were last read
        self._asked_at = float("-inf")  # when somebody last set out to read them
        self._headers: dict[str, jose.Header] = {}

    def endpoint(self, name: str) -> Steps[str]:
        """The address of this endpoint."""
        metadata = yield from self.metadata()
        endpoint = metadata.get(name)
        if not isinstance(endpoint, str) or not secure(endpoint):
            raise ProviderUnavailable(f"the provider's metadata have no {name} that can be used")
        return endpoint

    def metadata(self) -> Steps[Mapping[str, Any]]:
        """What the provider says about itself; what it said before, while it does not answer."""
        if self.clock() < self._metadata_due:
            return self._metadata
        before = self._in_vain
        yield Alone()
        if self._in_vain != before and not self._metadata:
            # who waited while another asked in vain does not ask and wait once more, one after the other
            raise ProviderUnavailable("the provider did not answer a moment ago")
        if self.clock() >= self._metadata_due:
            try:
                self._metadata = yield from self._discovered()
                self._metadata_due = self.clock() + METADATA_LIFE
            except ProviderUnavailable as error:
                self._in_vain += 1
                if not self._metadata:
                    raise
                self._metadata_due = self.clock() + PAUSE
                log.warning("the provider's metadata are old: %s", error)
        return self._metadata

    def claims(self, token: str, *, types: Sequence[str]) -> Steps[dict[str, Any]]:
        """The claims of a token that the provider signed, of one of these `typ`, or `Untrusted`.

        Only signature, algorithm and type are checked: `iss`, `aud`, `exp` and the rest are the caller's.
        """
        read = jose.read(token, self._headers)
        # RFC 8725 3.1: which algorithms are believed is ours to say, never the token's
        if read.header.alg not in self.settings.algorithms:
            raise Untrusted(f"the token is signed with another algorithm than {', '.join(self.settings.algorithms)}")
        if read.header.typ not in types:
            raise Untrusted("the token is of another kind (typ)")
        key = self._keys.get((read.header.kid, read.header.alg))
        if key is None or self.clock() - self._keys_at >= KEYS_LIFE:
            key = yield from self._key(read.header.kid, read.header.alg)
        return jose.claims(read, key)

    def _key(self, kid: str | None, alg: str) -> Steps[jose.Verify]:
        now = self.clock()
        key = self._keys.get((kid, alg))
        if key is not None and now - self._asked_at < PAUSE and now - self._keys_at < OFFLINE:
            return key  # somebody is at it: nobody else waits
        if key is not None and now - self._keys_at < OFFLINE:
            self._asked_at = now
            try:
                yield from self._read_keys()
            except ProviderUnavailable as error:
                log.warning("the provider's keys are %d s old: %s", now - self._keys_at, error)
        else:
            # A key id that strangers made up costs one look, not one each.
            yield Alone()
            if (kid, alg) not in self._keys or self.clock() - self._keys_at >= OFFLINE:
                if self.clock() - self._asked_at >= PAUSE:
                    self._asked_at = self.clock()
                    yield from self._read_keys()
                elif not self._keys or self.clock() - self._keys_at >= OFFLINE:
                    raise ProviderUnavailable("the provider's keys could not be read a moment ago")
        key = self._keys.get((kid, alg))
        if key is None:
            raise Untrusted("the token is signed with none of the provider's keys")
        return key

    def _read_keys(self) -> Steps[None]:
        told = yield from ask_json(Ask("GET", (yield from self.endpoint("jwks_uri"))))
        keys = jose.signing_keys(told.get("keys"), self.settings.algorithms)
        if not keys:
            raise ProviderUnavailable(f"the provider lists no key for {', '.join(self.settings.algorithms)}")
        self._keys, self._keys_at = keys, self.clock()

    def _discovered(self) -> Steps[Mapping[str, Any]]:
        issuer = self.settings.issuer
        parts = urlsplit(issuer)
        # OIDC Discovery 4.1 appends; RFC 8414 3.1 inserts, for providers that know OAuth alone
        appended = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        inserted = f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"
        reply: Reply = yield Ask("GET", appended)
        metadata = parsed(reply) if reply.status != 404 else (yield from ask_json(Ask("GET", inserted)))
        # OIDC Discovery 4.3, RFC 8414 3.3: the very one we asked, or it is somebody else's
        if metadata.get("issuer") != issuer:
            named = str(metadata.get("issuer"))[:200]
            raise Misconfigured(f"the provider calls itself {named!r}: set issuer to exactly that, if it is the one")
        return metadata


def ask_json(ask: Ask) -> Steps[dict[str, Any]]:
    """The JSON object of a 200, or `ProviderUnavailable`."""
    reply: Reply = yield ask
    told = parsed(reply)
    if reply.status != 200:
        raise ProviderUnavailable(f"the provider answered {reply.status} at {urlsplit(ask.url).path}")
    return told


def parsed(reply: Reply) -> dict[str, Any]:
    """The JSON object that the provider answered, whatever the status, unless it is its own failure."""
    try:
        told = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise ProviderUnavailable(
            f"the provider answered {reply.status} without JSON: is issuer its address?"
        ) from error
    if reply.status >= 500 or not isinstance(told, dict):
        raise ProviderUnavailable(f"the provider answered {reply.status}: look at its log")
    return told
