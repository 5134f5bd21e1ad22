"""What a passkey answered, judged with its challenge. Nothing is stored here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from idp.assurance import is_trusted
from idp.factors.credentials import Assertion
from idp.flows import passkeys
from idp.flows.idp import Idp
from idp.flows.passkeys import second
from idp.flows.signin.authorize import Show
from idp.model import STRONG, Account, AuthenticationEvent, Authenticator, Factor, Interaction
from idp.store.engine import Conn
from idp.store.signin import used_challenges
from idp.store.signin.consuming import Signed
from idp.store.signin.replaced import Replaced


@dataclass(frozen=True, slots=True)
class Wrong:
    """Compared, and not right. `used`: it was right once, and is good for nothing any more.

    `behind` is a passkey that told a lower count than before: there may be two of it.
    """

    used: bool = False
    behind: UUID | None = None


def usable(show: Show, factor: Factor, *, now: datetime) -> list[Authenticator]:
    """The apps or passkeys that would do here: where only what is strong will, those on hold would only loop."""
    open_ = [each for each in show.loaded.authenticators if each.factor is factor and each.closed_at is None]
    if STRONG.issuperset(show.ask.factors):
        trusted = [each for each in open_ if is_trusted(each, at=now)]
        return trusted or open_
    return open_


def second_options(idp: Idp, show: Show) -> str:
    """What a browser is asked for where a passkey is the second factor."""
    us, now = passkeys.relying(idp), show.facts.now
    assert us is not None
    challenge = passkeys.new_challenge(idp, show.interaction.session_id, second(show.interaction))
    return passkeys.request(us, challenge, usable(show, Factor.PASSKEY, now=now), must_verify=False)


def signed(idp: Idp, show: Show, account: Account, typed: Assertion, *, now: datetime) -> Signed | Wrong:
    """What an answer of a passkey uses up, as the second factor of this request."""
    place = second(show.interaction)
    return verified(idp, account, usable(show, Factor.PASSKEY, now=now), typed, show.interaction, place, now=now)


def verified(
    idp: Idp,
    account: Account,
    theirs: Iterable[Authenticator],
    typed: Assertion,
    asked: Interaction,
    place: str,
    *,
    now: datetime,
    alone: bool = False,
) -> Signed | Wrong:
    """What an answer of one of these passkeys uses up, to the challenge of this place. `alone`: without a password."""
    from idp.factors import passkey

    us = passkeys.relying(idp)
    if us is None or not passkeys.is_ours(idp, asked.session_id, place, typed.challenge, now=now):
        return Wrong()
    for each in theirs:
        if each.passkey is None or each.passkey.credential_id != typed.credential_id:
            continue
        found = passkey.check(
            typed,
            relying=us,
            public_key=passkeys.public_key(idp, each),
            handle=passkeys.handle_of(account),
            eligible=each.passkey.eligible,
            must_verify=alone,
        )
        if isinstance(found, passkey.Unfit):
            return Wrong()
        if not passkey.goes_on(found.count, after=each.passkey.count):
            return Wrong(behind=each.id)
        used = passkeys.hash_of(typed.challenge)
        expires = now + passkeys.life(idp)
        return Signed(each.id, used, expires, found.count, found.copied, found.verified, alone)
    return Wrong()


async def was_signed(idp: Idp, conn: Conn, before: Replaced, event: AuthenticationEvent, typed: Assertion) -> bool:
    """Whether this very answer made the proof: by that passkey, to a challenge that was used up then."""
    from idp.factors import passkey

    us, account = passkeys.relying(idp), before.loaded.account
    for each in before.loaded.authenticators:
        if us is None or account is None or each.id != event.authenticator_id or each.passkey is None:
            continue
        if each.passkey.credential_id != typed.credential_id:
            return False
        found = passkey.check(
            typed,
            relying=us,
            public_key=passkeys.public_key(idp, each),
            handle=passkeys.handle_of(account),
            eligible=each.passkey.eligible,
            must_verify=event.verified,
        )
        used_at = await used_challenges.used_at(conn, hash_=passkeys.hash_of(typed.challenge))
        return isinstance(found, passkey.Checked) and used_at == before.at
    return False
