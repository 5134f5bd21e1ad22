"""An operator's work on the secret of a client: another one, and for how long the one before is good too."""

from collections.abc import Sequence
from datetime import timedelta

from idp.audit import ClientChanged
from idp.crypto import digest, random_token
from idp.errors import NotThere, Outdated
from idp.flows.idp import Idp
from idp.flows.operate.clients import Registered
from idp.flows.operate.confirming import confirmed_client
from idp.flows.operate.finding import find_client
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.registrations import WITH_SECRET
from idp.model import AuthMethod, Client
from idp.policy import Act, in_units
from idp.sentences import minute, sentence
from idp.store import audits
from idp.store.tokens import clients

LONGEST_KEPT = timedelta(days=30)


def secrets_version(client: Client) -> str:
    """A short name for which secrets work: another one as soon as there is a new one, or the old one ends."""
    until = client.old_secret_until.isoformat() if client.old_secret_until else ""
    seen = (client.secret_hash or b"").hex(), (client.old_secret_hash or b"").hex(), until
    return digest(" ".join(seen)).hex()[:16]


async def new_client_secret(
    idp: Idp,
    name_or_id: str,
    *,
    keep_old: timedelta | None = None,
    secret: str | None = None,
    expected: str | None = None,
) -> Registered:
    """Another secret. The one before works for this time too, or not any more; one before that never does.

    `secret` is one of `random_token`, made before, for a form that may be sent twice: the second time nothing changes.
    `expected` is the version of the secrets that the operator saw: if it is another now, `Outdated` is raised.
    Raises `NotAcceptable` for a client without secrets, and for a time over `LONGEST_KEPT`.
    """
    found = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    if keep_old is not None and not timedelta(0) < keep_old <= LONGEST_KEPT:
        raise NotAcceptable(
            sentence(
                "The old secret is kept for %(span)s at most: every process needs the new one.",
                span=in_units(LONGEST_KEPT),
            )
        )
    now = idp.clock.now()
    until = None if keep_old is None else now + keep_old
    secret = secret or random_token()
    async with idp.db.transaction() as conn:
        client = await confirmed_client(conn, idp, found, to=Act.CHANGE_CLIENTS)
        if client.secret_hash == digest(secret):
            return Registered(client, secret)
        if expected is not None and expected != secrets_version(client):
            raise Outdated(
                sentence(
                    "Somebody else changed the secrets of %(client)s meanwhile: look at it again, then go on.",
                    client=client.name,
                )
            )
        if client.auth_method not in WITH_SECRET:
            raise NotAcceptable(
                sentence("%(client)s has no secret: it is a public client.", client=repr(client.name))
                if client.auth_method is AuthMethod.NONE
                else sentence("%(client)s has no secret: it signs with a key of its own.", client=repr(client.name))
            )
        await clients.set_secret(conn, client_id=client.id, secret_hash=digest(secret), keep_until=until)
        change = (
            "new secret" if until is None else f"new secret, the old one until {until.isoformat(timespec='seconds')}"
        )
        await audits.add(conn, ClientChanged(change=change), now=now, client_id=client.id)
        after = await clients.lock(conn, client_id=client.id)
    assert after is not None
    return Registered(after, secret)


async def secret_consequences(idp: Idp, name_or_id: str) -> Sequence[str]:
    """What another secret ends, and whether somebody uses the one before that still works."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    until, used = client.old_secret_until, client.old_secret_used_at
    if until is None or until <= idp.clock.now():
        return ()
    return (
        sentence("The secret before the present one, which works until %(when)s, stops working.", when=minute(until)),
        sentence("It was last used %(when)s.", when=minute(used))
        if used is not None
        else sentence("Nobody has used it since the present one was made."),
    )


async def end_old_secret(idp: Idp, name_or_id: str) -> Client:
    """The secret before stops working now. Raises `NotThere` if there is none that works."""
    found = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await confirmed_client(conn, idp, found, to=Act.CHANGE_CLIENTS)
        if not await clients.end_old_secret(conn, client_id=found.id, now=now):
            raise NotThere(sentence("%(client)s has no old secret that still works.", client=repr(found.name)))
        await audits.add(conn, ClientChanged(change="old secret ended"), now=now, client_id=found.id)
    return found
