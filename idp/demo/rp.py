"""A relying party of an OpenID provider, complete and small enough to copy together with `rp_checks`.

Keep `logins` in the browser's server-side session, send the browser to `login_url`, and give `finish` the parameters
that come back. What `finish` hands out as `SignedIn` has passed every check of OIDC Core 3.1.3.7. No pages, no cookies.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key

from idp.demo.rp_checks import (
    Declined,
    Login,
    Outdated,
    ProviderUnavailable,
    RelyingPartyConfig,
    SignedIn,
    Untrusted,
    base64url,
    check_id_token,
)

LOGIN_LIFE = timedelta(minutes=30)
METADATA_LIFE = timedelta(hours=1)
KEYS_LIFE = timedelta(minutes=10)
KEYS_PAUSE = timedelta(seconds=10)  # a stranger's made-up kid must not make us ask the provider all the time
LOGINS_KEPT = 10  # of one browser: several tabs, not a flood


class RelyingParty:
    """One client of one provider. Safe to share between requests; close it with `aclose`."""

    def __init__(self, config: RelyingPartyConfig) -> None:
        self.config = config
        self._client: httpx.AsyncClient | None = None
        self._metadata: tuple[datetime, dict[str, Any]] | None = None
        self._keys: dict[str, Key] = {}
        self._keys_at: datetime | None = None
        self._lock = asyncio.Lock()

    @property
    def client(self) -> httpx.AsyncClient:
        """The connections to the provider and to APIs."""
        if self._client is None:
            self._client = self.config.http()
        return self._client

    async def aclose(self) -> None:
        """Close the connections to the provider."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def login_url(
        self,
        logins: MutableMapping[str, Login],
        scopes: Sequence[str],
        *,
        return_to: str,
        acr_values: Sequence[str] = (),
        prompt: str | None = None,
        max_age: timedelta | None = None,
        ui_locales: Sequence[str] = (),
    ) -> str:
        """Where to send the browser. What has to be remembered is put into `logins` under its `state`."""
        endpoint = await self._endpoint("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        while len(logins) >= LOGINS_KEPT:
            del logins[next(iter(logins))]
        logins[state] = Login(nonce, verifier, return_to, tuple(scopes), tuple(acr_values), max_age, self.config.now())
        asked = {
            "response_type": "code",
            "client_id": self.config.client_id,
            "redirect_uri": self.config.redirect_uri,
            "scope": " ".join(scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": base64url(hashlib.sha256(verifier.encode()).digest()),  # RFC 7636 4.2
            "code_challenge_method": "S256",
            "claims": '{"id_token":{"name":null}}',  # OIDC Core 5.5: the name without a second request
            "acr_values": " ".join(acr_values) or None,
            "prompt": prompt,
            "max_age": None if max_age is None else str(int(max_age.total_seconds())),
            "ui_locales": " ".join(ui_locales) or None,
        }
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    async def finish(
        self, logins: MutableMapping[str, Login], answer: Sequence[tuple[str, str]]
    ) -> SignedIn | Declined:
        """Judge the parameters the browser came back with, and turn the code into tokens.

        Raises `Untrusted` and `ProviderUnavailable`. The `state` is used up whatever happens.
        """
        told = dict(answer)
        login = logins.pop(told.get("state", ""), None)
        if login is None or login.started_at < self.config.now() - LOGIN_LIFE:
            raise Outdated("state is unknown, used or too old")
        if len(told) != len(answer):
            raise Untrusted("a parameter came twice")  # RFC 6749 3.1
        if told.get("iss") != self.config.issuer:
            raise Untrusted("iss in the answer is missing or another issuer")  # RFC 9207 2.4
        if "error" in told:
            return Declined(_error_code(told["error"]), told.get("error_description", "")[:400], login.return_to)
        if not told.get("code"):
            raise Untrusted("there is no code")
        tokens = await self._token(
            grant_type="authorization_code",
            code=told["code"],
            redirect_uri=self.config.redirect_uri,
            code_verifier=login.verifier,
        )
        if isinstance(tokens, str):
            raise Untrusted(f"the code was refused: {tokens}")
        identity = check_id_token(
            await self.verified(_text(tokens, "id_token"), types=("", "JWT")),
            config=self.config,
            nonce=login.nonce,
            access_token=_text(tokens, "access_token"),
            acr_values=login.acr_values,
            max_age=login.max_age,
        )
        refresh = tokens.get("refresh_token")
        return SignedIn(
            identity=identity,
            return_to=login.return_to,
            scopes=_scopes(tokens, login.scopes),
            expires_at=self._expiry(tokens),
            nonce=login.nonce,
            id_token=_text(tokens, "id_token"),
            access_token=_text(tokens, "access_token"),
            refresh_token=refresh if isinstance(refresh, str) else None,
        )

    async def refresh(self, before: SignedIn) -> SignedIn | None:
        """The same login with new tokens; None when the provider has ended it. Never call it twice at the same time."""
        if before.refresh_token is None:
            return None
        tokens = await self._token(grant_type="refresh_token", refresh_token=before.refresh_token)
        if isinstance(tokens, str):
            return None
        access_token, id_token = _text(tokens, "access_token"), before.id_token
        if "id_token" in tokens:
            id_token = _text(tokens, "id_token")
            claims = await self.verified(id_token, types=("", "JWT"))
            # OIDC Core 12.2: a refreshed ID token need not have the nonce, but must not have another one.
            identity = check_id_token(
                {"nonce": before.nonce, **claims}, config=self.config, nonce=before.nonce, access_token=access_token
            )
            if (identity.subject, identity.auth_time) != (before.identity.subject, before.identity.auth_time):
                raise Untrusted("the refreshed ID token is about another login")
        return replace(
            before,
            scopes=_scopes(tokens, before.scopes),
            expires_at=self._expiry(tokens),
            id_token=id_token,
            access_token=access_token,
            refresh_token=_text(tokens, "refresh_token") if "refresh_token" in tokens else before.refresh_token,
        )

    async def logout_url(self, signed_in: SignedIn, *, ui_locales: Sequence[str] = ()) -> str:
        """Where to send the browser to sign out of the provider too (RP-Initiated Logout 2)."""
        endpoint = await self._endpoint("end_session_endpoint")
        asked = {
            "id_token_hint": signed_in.id_token,
            "client_id": self.config.client_id,
            "post_logout_redirect_uri": self.config.signed_out_uri,
            **({"ui_locales": " ".join(ui_locales)} if ui_locales else {}),
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def verified(self, token: str, *, types: Sequence[str]) -> dict[str, Any]:
        """The claims of a token that the provider signed, of one of these `typ` (RFC 7515 4.1.9, in its short form).

        Only signature, algorithm and type are checked: `exp`, `aud` and the rest are the caller's.
        """
        try:
            header = dict(jws.extract_compact(token.encode()).headers())
        except (JoseError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise Untrusted("this is not a signed JWT") from error
        # RFC 8725 3.1: the algorithm is ours to say, never the token's.
        if header.get("alg") != self.config.signing_alg:
            raise Untrusted("alg is not the one agreed")
        if str(header.get("typ", "")).removeprefix("application/") not in types:
            raise Untrusted("typ is another kind of token")
        key = await self._key(header.get("kid"))
        try:
            return jwt.decode(token, key, algorithms=[self.config.signing_alg]).claims
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Untrusted("the signature is wrong") from error

    async def _key(self, kid: object) -> Key:
        now = self.config.now()
        async with self._lock:
            age = KEYS_LIFE if self._keys_at is None else now - self._keys_at
            if age >= KEYS_LIFE or (kid not in self._keys and age >= KEYS_PAUSE):
                listed = (await self._json("GET", await self._endpoint("jwks_uri")))[1].get("keys")
                self._keys = _signing_keys(listed if isinstance(listed, list) else [], self.config.signing_alg)
                self._keys_at = now
        if not isinstance(kid, str) or kid not in self._keys:
            raise Untrusted("kid is none of the provider's keys")
        return self._keys[kid]

    async def _endpoint(self, name: str) -> str:
        now = self.config.now()
        if self._metadata is None or now - self._metadata[0] >= METADATA_LIFE:
            status, metadata = await self._json("GET", f"{self.config.issuer}/.well-known/openid-configuration")
            # OIDC Discovery 4.3: the issuer must be the very one we asked.
            if status != 200 or metadata.get("issuer") != self.config.issuer:
                raise ProviderUnavailable("the metadata are not this issuer's")
            self._metadata = (now, metadata)
        endpoint = self._metadata[1].get(name)
        if not isinstance(endpoint, str):
            raise ProviderUnavailable(f"the metadata have no {name}")
        return endpoint

    async def _token(self, **form: str) -> dict[str, Any] | str:
        """The token response, or the error code of a grant that the provider refused."""
        # RFC 6749 2.3.1: both are form-urlencoded before they go into Basic.
        credentials = quote_plus(self.config.client_id), quote_plus(self.config.client_secret)
        endpoint = await self._endpoint("token_endpoint")
        status, told = await self._json("POST", endpoint, data=form, auth=httpx.BasicAuth(*credentials))
        if status == 200 and str(told.get("token_type")).lower() == "bearer":
            return told
        error = _error_code(told.get("error"))
        if error != "invalid_grant":  # anything else is a mistake in our registration or theirs, not this person's
            raise ProviderUnavailable(f"the token endpoint answered {status} {error}")
        return error

    async def _json(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, auth: httpx.Auth | None = None
    ) -> tuple[int, dict[str, Any]]:
        try:
            answer = await self.client.request(
                method, url, data=data, auth=auth, headers={"accept": "application/json"}, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderUnavailable(f"no answer from the provider: {type(error).__name__}") from error
        try:
            told = answer.json()
        except (ValueError, RecursionError) as error:
            raise ProviderUnavailable(f"the provider answered {answer.status_code} without JSON") from error
        if answer.status_code >= 500 or not isinstance(told, dict):
            raise ProviderUnavailable(f"the provider answered {answer.status_code}")
        return answer.status_code, told

    def _expiry(self, tokens: Mapping[str, Any]) -> datetime:
        seconds = tokens.get("expires_in")
        return self.config.now() + timedelta(
            seconds=seconds if isinstance(seconds, int) and 0 < seconds < 10**6 else 60
        )


def _signing_keys(listed: Sequence[object], alg: str) -> dict[str, Key]:
    keys = {}
    for jwk in listed:
        if isinstance(jwk, dict) and jwk.get("use", "sig") == "sig" and jwk.get("alg", alg) == alg and jwk.get("kid"):
            try:
                keys[str(jwk["kid"])] = JWKRegistry.import_key(jwk)
            except (JoseError, ValueError, TypeError):
                continue  # a kind of key that we do not know is somebody else's
    return keys


def _text(tokens: Mapping[str, Any], name: str) -> str:
    value = tokens.get(name)
    if not isinstance(value, str) or not value:
        raise Untrusted(f"the token response has no {name}")
    return value


def _scopes(tokens: Mapping[str, Any], asked: Sequence[str]) -> tuple[str, ...]:
    # RFC 6749 5.1: left out when it is what we asked for.
    granted = tokens.get("scope")
    return tuple(granted.split()) if isinstance(granted, str) else tuple(asked)


def _error_code(error: object) -> str:
    return error if isinstance(error, str) and re.fullmatch(r"[a-z_]{1,60}", error) else "error"
