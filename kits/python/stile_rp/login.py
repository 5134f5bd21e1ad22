"""Signing in, from the address that the browser is sent to until the tokens are believed. Steps, without network.

What waits for an answer is JSON: `logins` is any dictionary that the browser's session keeps.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from stile_rp import jose
from stile_rp.answers import Declined, Pending, Received, SignedIn, canonical, covers, scopes_of, text
from stile_rp.claims import Person, SignedOutThere, check_id_token, check_logout_token
from stile_rp.counter import Counter, error_code, with_query
from stile_rp.effects import Ask, Steps
from stile_rp.errors import Misconfigured, Outdated, Untrusted
from stile_rp.provider import Provider, ask_json
from stile_rp.settings import Settings, local

LOGIN_LIFE = 1800.0  # seconds
LOGINS_KEPT = 10  # of one browser: several tabs, not a flood


class Login:
    """The steps of one client of one provider. `RelyingParty` and `AsyncRelyingParty` carry them out."""

    def __init__(self, settings: Settings, provider: Provider, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.provider = provider
        self.clock = clock
        self._counter = Counter(settings, provider, clock)

    def start(
        self,
        logins: MutableMapping[str, Any],
        *,
        then: str = "/",
        scopes: Sequence[str] | None = None,
        acr_values: Sequence[str] = (),
        max_age: timedelta | None = None,
        details: Sequence[Mapping[str, Any]] | None = None,
        prompt: str | None = None,
        ui_locales: Sequence[str] = (),
        login_hint: str | None = None,
        action: str | None = None,
    ) -> Steps[str]:
        """Where to send the browser. What has to be remembered is put into `logins` under its `state`.

        `details` are RFC 9396's `authorization_details`; they are pushed (RFC 9126) where the provider takes that.
        """
        self.settings.browser()
        if not local(then):
            raise Misconfigured(f"then is {then[:100]!r}: give a path of this application")
        asked_scopes = tuple(self.settings.scopes if scopes is None else scopes)
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        # whole seconds: the provider counts in them (OIDC Core 3.1.2.1)
        age = None if max_age is None else int(max_age.total_seconds())
        wanted = None if details is None else canonical(details)
        pending = Pending(
            nonce=nonce,
            verifier=verifier,
            then=then,
            scopes=asked_scopes,
            acr_values=tuple(acr_values),
            max_age=age,
            details=wanted,
            action=action,
            at=int(self.clock()),
        )
        claims = {"id_token": dict.fromkeys(self.settings.claims)}
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.callback,
            "scope": " ".join(asked_scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": jose.encoded(hashlib.sha256(verifier.encode()).digest()),  # RFC 7636 4.2
            "code_challenge_method": "S256",
            "claims": canonical(claims) if self.settings.claims else None,
            "acr_values": " ".join(acr_values) or None,
            "max_age": None if age is None else str(age),
            "prompt": prompt,
            "ui_locales": " ".join(ui_locales) or None,
            "login_hint": login_hint,
            "authorization_details": wanted,
        }
        url = yield from self._counter.address({name: value for name, value in asked.items() if value is not None})
        while len(logins) >= LOGINS_KEPT:
            del logins[next(iter(logins))]
        logins[state] = pending.to_json()
        return url

    def receive(
        self, logins: MutableMapping[str, Any], answer: Sequence[tuple[str, str]]
    ) -> Steps[Received | Declined]:
        """Judge the parameters that the browser came back with. The `state` is used up whatever happens."""
        told = dict(answer)
        pending = Pending.from_json(logins.pop(told.get("state", ""), None))
        if pending is None or not 0 <= self.clock() - pending.at + 60 < LOGIN_LIFE + 60:
            raise Outdated("state is unknown, used or too old: was the session lost, or the page opened twice?")
        if len(told) != len(answer):
            raise Untrusted("a parameter came twice")  # RFC 6749 3.1
        metadata = yield from self.provider.metadata()
        # RFC 9207 2.4: whoever announces it always says it
        expected = bool(metadata.get("authorization_response_iss_parameter_supported"))
        if told.get("iss", None if expected else self.settings.issuer) != self.settings.issuer:
            raise Untrusted("iss in the answer is missing or another issuer")
        if "error" in told:
            said = told.get("error_description", "")[:400]
            return Declined(error_code(told["error"]), said, pending.then, pending.action, pending.details)
        if not told.get("code"):
            raise Untrusted("there is no code")
        return Received(pending, told["code"])

    def redeem(self, received: Received) -> Steps[SignedIn]:
        """Turn the code into tokens that are believed."""
        pending = received.pending
        tokens = yield from self._counter.tokens(
            grant_type="authorization_code",
            code=received.code,
            redirect_uri=self.settings.callback,
            code_verifier=pending.verifier,
        )
        if isinstance(tokens, str):
            raise Outdated(f"the code was refused ({tokens}): it was used already, or came later than it lives")
        id_token, access_token = text(tokens, "id_token"), text(tokens, "access_token")
        person = yield from self._person(
            id_token,
            nonce=pending.nonce,
            access_token=access_token,
            acr_values=pending.acr_values,
            max_age=pending.max_age,
        )
        details = tokens.get("authorization_details", [])
        # RFC 9396 7: what was granted is said in the answer; another payee or amount is another action
        if pending.details is not None and not covers(details, pending.details):
            raise Untrusted("authorization_details in the answer are not those we asked for")
        refresh = tokens.get("refresh_token")
        return SignedIn(
            person,
            pending.then,
            scopes_of(tokens, pending.scopes),
            self._expiry(tokens),
            tuple(details) if isinstance(details, list) else (),
            nonce=pending.nonce,
            id_token=id_token,
            access_token=access_token,
            refresh_token=refresh if isinstance(refresh, str) else None,
        )

    def finish(self, logins: MutableMapping[str, Any], answer: Sequence[tuple[str, str]]) -> Steps[SignedIn | Declined]:
        """`receive` and `redeem`: who signed in, or who said no.

        Raises `Outdated`, `Untrusted` and `ProviderUnavailable`.
        """
        received = yield from self.receive(logins, answer)
        return received if isinstance(received, Declined) else (yield from self.redeem(received))

    def refresh(self, before: SignedIn) -> Steps[SignedIn | None]:
        """The same sign-in with new tokens; None when the provider has ended it. Not twice at the same time."""
        if before.refresh_token is None:
            return None
        tokens = yield from self._counter.tokens(grant_type="refresh_token", refresh_token=before.refresh_token)
        if isinstance(tokens, str):
            return None
        access_token, id_token = text(tokens, "access_token"), before.id_token
        if "id_token" in tokens:
            id_token = text(tokens, "id_token")
            person = yield from self._person(id_token, nonce=before.nonce, access_token=access_token, again=True)
            # OIDC Core 12.2
            if (person.subject, person.auth_time) != (before.person.subject, before.person.auth_time):
                raise Untrusted("the refreshed ID token is about another sign-in")
        return replace(
            before,
            scopes=scopes_of(tokens, before.scopes),
            expires_at=self._expiry(tokens),
            id_token=id_token,
            access_token=access_token,
            refresh_token=text(tokens, "refresh_token") if "refresh_token" in tokens else before.refresh_token,
        )

    def userinfo(self, signed_in: SignedIn) -> Steps[dict[str, Any]]:
        """What the provider tells of this person."""
        endpoint = yield from self.provider.endpoint("userinfo_endpoint")
        told = yield from ask_json(Ask("GET", endpoint, headers={"authorization": f"Bearer {signed_in.access_token}"}))
        # OIDC Core 5.3.2: or the answer must not be used
        if told.get("sub") != signed_in.person.subject:
            raise Untrusted("userinfo is about somebody else")
        return told

    def sign_out(self, id_token: str | None, *, ui_locales: Sequence[str] = ()) -> Steps[str]:
        """Where to send the browser to sign out at the provider too (RP-Initiated Logout 2)."""
        endpoint = yield from self.provider.endpoint("end_session_endpoint")
        asked = {
            "id_token_hint": id_token,
            "client_id": self.settings.client_id,
            "post_logout_redirect_uri": self.settings.signed_out,
            "ui_locales": " ".join(ui_locales) or None,
        }
        return with_query(endpoint, {name: value for name, value in asked.items() if value is not None})

    def signed_out_there(self, logout_token: str) -> Steps[SignedOutThere]:
        """Whose sessions are to end: the form field `logout_token` of a back-channel sign-out, or `Untrusted`.

        Back-Channel Logout 2.4 recommends a `typ` of its own, so others have to be taken too.
        """
        claims = yield from self.provider.claims(logout_token, types=("logout+jwt", "jwt", ""))
        return check_logout_token(claims, settings=self.settings, now=self.clock())

    def _person(
        self,
        id_token: str,
        *,
        nonce: str,
        access_token: str,
        again: bool = False,
        acr_values: Sequence[str] = (),
        max_age: float | None = None,
    ) -> Steps[Person]:
        claims = yield from self.provider.claims(id_token, types=("jwt", ""))
        if again:  # OIDC Core 12.2: it need not have the nonce, but must not have another one
            claims.setdefault("nonce", nonce)
        return check_id_token(
            claims,
            settings=self.settings,
            nonce=nonce,
            access_token=access_token,
            alg=jose.read(id_token, {}).header.alg,
            now=self.clock(),
            acr_values=acr_values,
            max_age=max_age,
        )

    def _expiry(self, tokens: Mapping[str, Any]) -> float:
        seconds = tokens.get("expires_in")
        return self.clock() + (seconds if isinstance(seconds, int) and 0 < seconds < 10**6 else 60)
