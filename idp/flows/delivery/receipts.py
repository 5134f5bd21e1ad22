"""Receipts: the address a provider is given for one try, and what happens when it calls back. Reading HTTP is web's.

The key in the address is derived, so nothing of it is stored: whoever knows it was given it with that try.
"""

from collections.abc import Sequence
from uuid import UUID

from idp.crypto import equal, mac
from idp.errors import SealBroken
from idp.flows.delivery.suppressions import suppress
from idp.flows.idp import Idp
from idp.flows.sealed import NUMBER, bound
from idp.settings import Settings
from idp.sms import Callback, Delivery, Gateway, Receipt
from idp.sms.routing import SUPPRESSES
from idp.store.delivery import receipts
from idp.store.delivery.receipts import Reported

PATH = "/receipts"
_KEY = "receipt"
_KEY_BYTES = 16
_MOST = 10  # receipts in one call
_LONGEST_ID = 200


def url(idp: Idp, gateway: str, attempt_id: UUID) -> str | None:
    """Where the provider may report on this try; None when providers cannot reach us."""
    base = _base(idp.settings)
    return None if base is None else f"{base}{PATH}/{gateway}/{attempt_id}/{_key(idp, gateway, attempt_id).hex()}"


def _base(settings: Settings) -> str | None:
    if settings.receipt_url is not None:
        return None if settings.receipt_url == "off" else settings.receipt_url.rstrip("/")
    return settings.issuer if settings.secure and not settings.loopback else None


def _key(idp: Idp, gateway: str, attempt_id: UUID, key_id: str | None = None) -> bytes:
    return mac(idp.secrets.subkey(_KEY, key_id), gateway.encode(), attempt_id.bytes)[:_KEY_BYTES]


def authentic(idp: Idp, gateway: str, attempt_id: UUID, key: str) -> bool:
    """Whether this is the address that we gave away with this try, under any of our keys."""
    if not key.isascii():
        return False
    return any(equal(key.encode(), _key(idp, gateway, attempt_id, each).hex().encode()) for each in idp.secrets.ids())


async def take(idp: Idp, gateway: Gateway, attempt_id: UUID, callback: Callback) -> Sequence[str]:
    """Note what an authentic callback tells; the statuses that were new. Raises `BadSignature`."""
    found = gateway.receipt(callback)
    return [receipt.status.value for receipt in found[:_MOST] if await _take(idp, gateway.name, attempt_id, receipt)]


async def _take(idp: Idp, gateway: str, attempt_id: UUID, receipt: Receipt) -> bool:
    if not receipt.provider_id.isascii() or not receipt.provider_id.isprintable():
        return False
    reported = await receipts.report(
        idp.db,
        attempt_id=attempt_id,
        gateway=gateway,
        provider_id=receipt.provider_id[:_LONGEST_ID],
        status=receipt.status,
        reason=receipt.reason,
        provider_code=receipt.provider_code,
        now=idp.clock.now(),
    )
    if reported is None:
        return False
    if receipt.status is Delivery.UNDELIVERED and receipt.reason in SUPPRESSES:
        await _suppress(idp, reported, reason=receipt.reason, gateway=gateway)
    return True


async def _suppress(idp: Idp, reported: Reported, *, reason: str, gateway: str) -> None:
    if reported.sealed_number is None or reported.authenticator_id is None:
        return
    where = bound(reported.account_id, reported.authenticator_id)
    try:
        number = idp.secrets.unseal(reported.sealed_number, purpose=NUMBER, bound_to=where).decode()
    except SealBroken:
        return
    await suppress(idp, number, reason=reason, gateway=gateway, account_id=reported.account_id)
