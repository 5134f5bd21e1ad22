"""Signing in to a web application, whatever its framework: what its session holds, and where the browser goes. Steps.

Everything is kept in the framework's own session, as JSON under one key, and no access token is: a confirmation is
redeemed where it is used, so that the provider lets it count once, however often a session comes back.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from stile_rp import kept, pages
from stile_rp.answers import Declined, Received, SignedIn, canonical
from stile_rp.claims import Person, SignedOutThere
from stile_rp.effects import Keep, Recall, Steps
from stile_rp.errors import Misconfigured, Outdated, ProviderUnavailable, StepUpRequired, StileError, Untrusted
from stile_rp.kept import Details, Session
from stile_rp.party import Party
from stile_rp.settings import local

KEPT = 3  # sign-ins that wait, and confirmations, of one browser: its session may be a cookie
LARGEST = 64 * 1024  # bytes of a back-channel sign-out
SOON = 30.0  # seconds before its end, an access token is renewed
LONGEST_WAY = 1000  # characters
TOO_LARGE = 2900  # characters of JSON: a cookie that holds more is dropped by browsers

log = logging.getLogger("stile_rp")


@dataclass(frozen=True, slots=True)
class To:
    """Send the browser there. With `renew`, the session gets a new id first, where it has one."""

    url: str
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The person confirmed this very action, a moment ago. Do it now: nobody gets this twice.

    `details` are those that were confirmed, as the provider says; `access_token` is good for the API, for minutes.
    """

    person: Person
    action: str
    details: tuple[Mapping[str, Any], ...]
    access_token: str = field(repr=False)
    expires_at: float


class Site:
    """The steps of one web application."""

    def __init__(self, party: Party) -> None:
        self.party = party
        self.settings = party.settings
        self._key = kept.key(party.settings)

    def sign_in(self, session: Session, *, then: str | None = None, **asked: Any) -> Steps[To]:  # noqa: ANN401 - as `start`
        """Off to the provider."""
        there = self.settings.landing if then is None else self._way(then)
        return To((yield from self._start(session, then=there, **asked)))

    def callback(self, session: Session, answer: Sequence[tuple[str, str]]) -> Steps[To | pages.Problem]:
        """Back from the provider: somebody signed in, or confirmed something, or did not."""
        mine = self._mine(session)
        before = self._person(mine)
        again = self.settings.login
        try:
            outcome = yield from self._received(mine, answer)
            self._put(session, mine)
            asked = outcome if isinstance(outcome, Declined) else outcome.pending
            if asked.action is not None:
                filed = kept.name(asked.action, asked.details, asked.then)
                waiting = [*mine.get("waiting", {}).items(), (filed, kept.to_json(outcome))]
                self._put(session, {**mine, "waiting": dict(waiting[-KEPT:])})
                return To(asked.then)
            again = f"{again}?{urlencode({'then': asked.then})}"
            if isinstance(outcome, Declined):
                return pages.of_declined(outcome, again)
            signed_in = yield from self.party.redeem(outcome)
        except StileError as error:
            self._put(session, mine)
            # Back over the provider's page, or a second tab: who is signed in goes on
            if isinstance(error, Outdated) and before is not None:
                log.info("this answer counts for nobody: %s", error)
                return To(self.settings.landing)
            log.warning("nobody was signed in: %s", error)
            return pages.of_error(error, again)
        if before is not None and before.subject != signed_in.person.subject:
            session.clear()  # somebody else's things
            mine = {}
        mine |= {"who": {**signed_in.person.to_json(), "at": self.party.clock()}, "id_token": signed_in.id_token}
        self._put(session, {**mine, **self._tokens(signed_in)})
        return To(signed_in.then, renew=True)

    def person(self, session: Session) -> Steps[Person | None]:
        """Who is signed in here; nobody, once they signed out at the provider and it said so."""
        mine = self._mine(session)
        person = self._person(mine)
        if person is None:
            return None
        for name in (f"sub:{person.subject}", f"sid:{person.sid}"):
            out: str | None = yield Recall(f"{self._key} out:{name}")
            if out is not None and float(out) >= mine["who"]["at"]:
                session.clear()
                return None
        return person

    def access_token(self, session: Session) -> Steps[str | None]:
        """An access token of who is signed in, refreshed if need be; None when the provider has ended it."""
        if not self.settings.keep_tokens:
            raise Misconfigured(
                "there is no access token in the session: set keep_tokens, and keep sessions on the server"
            )
        mine = self._mine(session)
        person, tokens = self._person(mine), mine.get("tokens")
        if person is None or tokens is None:
            return None
        if tokens["expires_at"] - SOON > self.party.clock():
            return str(tokens["access_token"])
        before = SignedIn(person, "/", (), **tokens, id_token=mine["id_token"])
        after = yield from self.party.refresh(before)
        if after is None:
            session.clear()
            return None
        self._put(session, {**self._mine(session), "id_token": after.id_token, **self._tokens(after)})
        return after.access_token

    def confirm(
        self,
        session: Session,
        *,
        action: str = "",
        details: Details = None,
        then: str,
        acr: Sequence[str] = (),
        max_age: timedelta | None = None,
        ui_locales: Sequence[str] = (),
    ) -> Steps[To]:
        """Off to the provider, for this action alone; the browser comes back to `then`, which asks `confirmed`."""
        if not action and not details:
            raise Misconfigured("confirm() needs something to confirm: an action (its scope), details, or both")
        if not local(then):
            raise Misconfigured(f"then is {then[:100]!r}: give the path of the page that asks confirmed()")
        if self._person(self._mine(session)) is None:
            return (yield from self.sign_in(session, then=then, ui_locales=ui_locales))
        url = yield from self._start(
            session,
            then=then,
            scopes=("openid", *action.split()),
            acr_values=acr,
            max_age=max_age,
            ui_locales=ui_locales,
            details=kept.listed(details),
            action=action,
        )
        return To(url)

    def confirmed(
        self, session: Session, *, action: str = "", details: Details = None, here: str
    ) -> Steps[Confirmed | Declined | None]:
        """What came of `confirm` with this action and these details, and `here` for `then`: once, then None."""
        mine = self._mine(session)
        person, asked = self._person(mine), kept.listed(details)
        waiting = dict(mine.get("waiting", {}))
        name = kept.name(action, None if asked is None else canonical(asked), here)
        outcome = kept.from_json(waiting.pop(name, None))
        if outcome is None:
            return None
        self._put(session, {**mine, "waiting": waiting})
        if isinstance(outcome, Declined):
            return outcome
        try:
            signed_in = yield from self.party.redeem(outcome)
        except Untrusted as error:
            log.warning("a confirmation was not believed: %s", error)
            return Declined(
                "expired", "This confirmation was used already, or came too late. Please confirm again.", here
            )
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("a confirmation could not be checked: %s", error)
            return Declined("unavailable", "The sign-in service did not answer. Please confirm again shortly.", here)
        if person is None or person.subject != signed_in.person.subject:
            return Declined("another_person", "Somebody else confirmed this than is signed in here.", here)
        if not set(action.split()) <= set(signed_in.scopes):
            return Declined("insufficient_scope", "The sign-in service did not allow this.", here)
        return Confirmed(signed_in.person, action, signed_in.details, signed_in.access_token, signed_in.expires_at)

    def step_up(self, session: Session, error: StepUpRequired) -> To:
        """Where an API's `StepUpRequired` says, and the session knows it."""
        key = error.kept_under or self._key  # of two providers, it is the one that the token came from
        mine = kept.of(session, key)
        self._put(session, {**mine, "logins": {**mine.get("logins", {}), **error.logins}}, key)
        return To(error.url)

    def sign_out(self, session: Session) -> Steps[To]:
        """End our session first, then the provider's; ours ends even if the provider does not answer."""
        mine = self._mine(session)
        person, id_token = self._person(mine), mine.get("id_token")
        session.clear()
        if person is not None and person.sid is not None:
            yield self._out(f"sid:{person.sid}")  # for a session that is a cookie, its copies included
        try:
            return To((yield from self.party.sign_out(id_token)), renew=True)
        except (ProviderUnavailable, Misconfigured) as error:
            log.warning("signed out here alone: %s", error)
            return To(self.settings.signed_out, renew=True)

    def back_channel(self, body: bytes) -> Steps[SignedOutThere]:
        """The provider says that somebody signed out (OIDC Back-Channel Logout 2.5). `Untrusted` if it is not it."""
        try:
            form = dict(parse_qsl(body.decode("ascii"), max_num_fields=20))
        except ValueError as error:
            raise Untrusted("this is no form") from error
        out = yield from self.party.signed_out_there(form.get("logout_token", ""))
        first: bool = yield Keep(f"{self._key} logout:{out.jti}", "", until=out.until, new=True)
        if first:
            yield self._out(f"sub:{out.subject}" if out.sid is None else f"sid:{out.sid}")
        return out

    def signed_out(self) -> pages.Problem:
        """Where the provider sends people who signed out."""
        title, text, press = pages.SIGNED_OUT
        return pages.Problem(200, title, text, self.settings.login, press)

    def ours(self, headers: Mapping[str, str]) -> bool:
        """Whether a form of this application sent this, and no other site: for what has no CSRF token."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in {"same-origin", "none"}
        parts = urlsplit(self.settings.base_url or "")
        return headers.get("origin", f"{parts.scheme}://{parts.netloc}") == f"{parts.scheme}://{parts.netloc}"

    def _out(self, who: str) -> Keep:
        now = self.party.clock()
        return Keep(f"{self._key} out:{who}", str(now), until=now + self.settings.session_life.total_seconds())

    def _way(self, then: str) -> str:
        """Where somebody wanted to go, as far as it leads to this application and a session has room for it."""
        if len(then) > LONGEST_WAY:
            then = then.partition("?")[0]
        return then if local(then) and len(then) <= LONGEST_WAY else self.settings.landing

    def _mine(self, session: Session) -> dict[str, Any]:
        return kept.of(session, self._key)

    def _start(self, session: Session, **asked: Any) -> Steps[str]:  # noqa: ANN401 - as `start`
        mine = self._mine(session)
        logins = dict(list(mine.get("logins", {}).items())[1 - KEPT :])
        url = yield from self.party.start(logins, **asked)
        self._put(session, {**mine, "logins": logins})
        return url

    def _received(self, mine: dict[str, Any], answer: Sequence[tuple[str, str]]) -> Steps[Received | Declined]:
        mine["logins"] = dict(mine.get("logins", {}))
        return (yield from self.party.receive(mine["logins"], answer))

    def _put(self, session: Session, mine: Mapping[str, Any], key: str | None = None) -> None:
        """Into the session. Where a cookie would not hold it all, with what the application has there, some of it goes:

        the hint for signing out first, for the provider asks then, and of what waits the oldest.
        """
        key, told = key or self._key, {name: value for name, value in mine.items() if value}
        others = kept.size({name: value for name, value in session.items() if name != key})

        def is_too_large() -> bool:
            return not self.settings.keep_tokens and others + kept.size(told) > TOO_LARGE

        if is_too_large():
            told.pop("id_token", None)
        for name in ("logins", "waiting"):
            while len(told.get(name, ())) > 1 and is_too_large():
                told[name] = dict(list(told[name].items())[1:])
        if is_too_large():
            size = others + kept.size(told)
            log.warning("the session holds %d characters: keep sessions on the server, for no cookie can", size)
        session[key] = told  # assigned anew: or a framework might not see that it changed

    def _person(self, mine: Mapping[str, Any]) -> Person | None:
        who = dict(mine.get("who", {}))
        if not who or self.party.clock() - who.pop("at", 0) > self.settings.session_life.total_seconds():
            return None
        try:
            return Person.from_json(who)
        except (TypeError, KeyError):  # of a version before this one: they sign in again
            return None

    def _tokens(self, signed_in: SignedIn) -> dict[str, Any]:
        if not self.settings.keep_tokens:
            return {}
        names = ("access_token", "refresh_token", "expires_at", "nonce")
        return {"tokens": {name: getattr(signed_in, name) for name in names}}
