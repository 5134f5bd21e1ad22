"""Signing keys: made when there are none, rotated without a failed token, read into a ring."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from idp.audit import KeysRotated
from idp.errors import IdpError
from idp.flows.idp import Idp
from idp.flows.tokens.sealed_keys import SIGNING_KEY, VERIFY_AFTER_RETIREMENT, bound, is_remembered, unsealed
from idp.oidc.keys import ALGORITHMS, KeyRing, KeyState, SigningKey, generate, load
from idp.sentences import sentence
from idp.store import audits
from idp.store.engine import Connection
from idp.store.tokens import keys
from idp.store.tokens.keys import StoredKey

# Libraries keep a JWK Set for five minutes to a day, whatever Cache-Control says, and some fetch none for a new kid.
KEPT_BY_CLIENTS = timedelta(days=1)


def hints_last(idp: Idp) -> timedelta:
    """How long after its retirement a key still checks hints: as long as a session or refresh token remembers any."""
    return max(idp.policy.sessions.life, idp.policy.tokens.refresh_max) + VERIFY_AFTER_RETIREMENT


class TooEarly(IdpError):
    """The next keys are in the JWK Set for too short a time. Nothing was changed."""

    def __init__(self, published: datetime) -> None:
        self.published, self.after = published, published + KEPT_BY_CLIENTS
        hours = KEPT_BY_CLIENTS.days * 24
        super().__init__(
            sentence(
                "The next keys have been published since %(since)s UTC only, and applications may keep the JWK Set for"
                " %(hours)s hours: rotate after %(after)s UTC, or at once if a key is known to somebody else.",
                at_shell=f"The next keys have been published since {published:%Y-%m-%d %H:%M} UTC only, and"
                f" applications may keep the JWK Set for {hours} hours: rotate after {self.after:%Y-%m-%d %H:%M} UTC,"
                " or at once (--now) if a key is known to somebody else.",
                since=f"{published:%Y-%m-%d %H:%M}",
                hours=hours,
                after=f"{self.after:%Y-%m-%d %H:%M}",
            )
        )


async def read(idp: Idp) -> None:
    """Put the keys of the database into `idp.ring`; keys parsed before are not parsed again."""
    stored = await keys.all_keys(idp.db)
    if not {(key.alg, key.state) for key in stored} >= {(alg, "current") for alg in ALGORITHMS}:
        await _make_missing(idp, stored)
        stored = await keys.all_keys(idp.db)
    idp.ring = KeyRing(opened for key in stored if (opened := _opened(idp, key)) is not None)


def _opened(idp: Idp, key: StoredKey) -> SigningKey | None:
    state = KeyState.REMEMBERED if is_remembered(idp, key) else KeyState(key.state)
    known = None if idp.ring is None else idp.ring.find(key.id)
    if known is not None:
        return replace(known, state=state)
    private = unsealed(idp, key)
    return None if private is None else load(private, state=state)


async def _make_missing(idp: Idp, stored: Sequence[StoredKey]) -> None:
    there = {(key.alg, key.state) for key in stored}
    for alg in ALGORITHMS:
        for state in ("current", "next"):
            if (alg, state) not in there:
                await _make(idp, alg, state)


async def _make(idp: Idp, alg: str, state: str) -> None:
    private = generate(alg)
    kid = load(private, state=KeyState(state)).kid
    sealed = idp.secrets.seal(private, purpose=SIGNING_KEY, bound_to=bound(alg, kid))
    await keys.add(idp.db, key_id=kid, alg=alg, sealed=sealed, state=state, now=idp.clock.now())


async def turn(conn: Connection, idp: Idp, *, early: bool = False, instead_of: Collection[str] = ()) -> list[str]:
    """The next keys sign from now on and the old ones still verify; the current ids. `publish_next` comes afterwards.

    Nobody is surprised: the next key has been in the JWK Set since the rotation before (OIDC Core 10.1.1). Raises
    `TooEarly` when that is not long enough ago, unless `early` says that it must be. Where others sign already than
    those named in `instead_of`, nothing is changed.
    """
    now, there = idp.clock.now(), await keys.locked(conn)
    signing = [key.id for key in there if key.state == "current"]
    if instead_of and set(signing) != set(instead_of):
        return signing
    published = [key.created_at for key in there if key.state == "next"]
    if not early and published and now < max(published) + KEPT_BY_CLIENTS:
        raise TooEarly(max(published))
    current = [kid for alg in ALGORITHMS if (kid := await keys.rotate(conn, alg=alg, now=now)) is not None]
    await keys.forget_retired(conn, before=now - hints_last(idp))
    await audits.add(conn, KeysRotated(current=current), now=now)
    return current


async def publish_next(idp: Idp) -> None:
    """New next keys are published, after those before began to sign."""
    for alg in ALGORITHMS:
        await _make(idp, alg, "next")
    await read(idp)
