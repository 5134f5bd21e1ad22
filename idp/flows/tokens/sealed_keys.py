"""Signing keys as they are stored, sealed: whether they are there and open. What is in them is read in `keys`."""

from datetime import timedelta

from idp.crypto import KeyChain
from idp.errors import SealBroken
from idp.flows.idp import Idp
from idp.store.engine import Database
from idp.store.tokens import keys
from idp.store.tokens.keys import StoredKey

SIGNING_KEY = "signing-key"
VERIFY_AFTER_RETIREMENT = timedelta(days=2)  # longer than any token lives


async def agreed(db: Database, secrets: KeyChain) -> KeyChain:
    """These keys, with what is counted and looked up under the one that was there first, on every node.

    A list in another order neither starts anybody's limits anew nor hides what was stored before.
    """
    return secrets.since(await keys.oldest_secret_key(db, ids=secrets.ids()))


def bound(alg: str, kid: str) -> str:
    """What a sealed signing key is bound to."""
    return f"signing_key.sealed/{alg}/{kid}"


def is_remembered(idp: Idp, key: StoredKey) -> bool:
    """Whether it checks hints only: no token that it signed still lives."""
    return key.retired_at is not None and key.retired_at < idp.clock.now() - VERIFY_AFTER_RETIREMENT


def unsealed(idp: Idp, key: StoredKey) -> bytes | None:
    """The private JWK. None for one that is only remembered and whose secret key was put away: its hints count as none.

    Raises `SealBroken` for any other that does not open.
    """
    try:
        return idp.secrets.unseal(key.sealed, purpose=SIGNING_KEY, bound_to=bound(key.alg, key.id))
    except SealBroken:
        if is_remembered(idp, key):
            return None
        raise


async def ready(idp: Idp) -> bool:
    """Whether there is a current key of each kind, for a command that signs nothing. Raises as `unsealed` does.

    Keys that do not open mean other secret keys than those that sealed all the rest: nothing may be stored with them.
    """
    stored = await keys.all_keys(idp.db)
    for key in stored:
        unsealed(idp, key)
    return bool(stored) and {key.alg for key in stored} == {key.alg for key in stored if key.state == "current"}
