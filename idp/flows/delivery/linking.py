"""How the token of a link is derived, how its address is written, and to which mailbox its mail goes. No SQL.

The one place that knows the address: promise 7 lets a secret stand in it, because a mail cannot carry it otherwise.
"""

import base64
from uuid import UUID

from idp.crypto import mac
from idp.flows.idp import Idp
from idp.model.links import LinkFor
from idp.store.delivery.messages import Outgoing

LINK_PATH = "/link"
_KEY = "link"
_ADDRESS = "mail-address"


def link_token(idp: Idp, purpose: LinkFor, *, nonce: bytes, key_id: str) -> str:
    """256 bits in base64url that nobody foretells without the key, the same whenever they are derived."""
    made = mac(idp.secrets.subkey(_KEY, key_id), nonce, purpose.value.encode())
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def link_address(idp: Idp, purpose: LinkFor, token: str) -> str:
    """The link as a mail says it. It must stand in no log, and in no page but the one it leads to."""
    return f"{idp.issuer}{LINK_PATH}/{purpose.value}/{token}"


def link_of(idp: Idp, message: Outgoing, purpose: LinkFor) -> str:
    """The link that a message carries which was put out with a nonce. Raises `SealBroken` when its key is gone."""
    assert message.nonce is not None
    assert message.key_id is not None
    return link_address(idp, purpose, link_token(idp, purpose, nonce=message.nonce, key_id=message.key_id))


def seal_address(idp: Idp, address: str, message_id: UUID) -> bytes:
    """An address that is not the person's own, for the message with this id alone."""
    return idp.secrets.seal(address.encode(), purpose=_ADDRESS, bound_to=_bound(message_id))


def sealed_address(idp: Idp, message: Outgoing) -> str | None:
    """What `seal_address` sealed; None for mail to the person's own address. Raises `SealBroken`."""
    if message.sealed_to is None:
        return None
    return idp.secrets.unseal(message.sealed_to, purpose=_ADDRESS, bound_to=_bound(message.id)).decode()


def _bound(message_id: UUID) -> str:
    return f"message.sealed_to/{message_id}"
