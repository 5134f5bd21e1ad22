"""How providers sign what they post to us, as each of them writes it down. What is signed, and by whom, is theirs.

Compared in constant time. Old signatures are refused where the signature covers a time.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from idp.crypto import equal

TOLERANCE = timedelta(seconds=300)
_PORTS = {"https": 443, "http": 80}
_STRONG = {64: hashlib.sha256, 128: hashlib.sha512}  # by the length of their hexadecimal form


def same(given: str, wanted: str) -> bool:
    """Whether a signature is the right one, in constant time and whatever characters came."""
    return equal(given.encode(errors="replace"), wanted.encode())


def recent(timestamp: str, now: datetime) -> bool:
    """Whether a signed time, in seconds since 1970, is within five minutes of ours, before or after."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 13):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()


def twilio(token: str, url: str, fields: Iterable[tuple[str, str]]) -> str:
    """`X-Twilio-Signature`: HMAC-SHA1 over the URL and the posted fields in order, name and value without a sign."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    signature = hmac.new(token.encode(), text.encode(errors="replace"), hashlib.sha1)
    return base64.b64encode(signature.digest()).decode()


def twilio_urls(url: str) -> tuple[str, ...]:
    """The URLs that Twilio may have signed: it names the port sometimes, and leaves it out sometimes."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return (url,)
    shown = f"[{host}]" if ":" in host else host
    rest = url.partition("://")[2]
    rest = rest[len(parts.netloc) :]
    return (url, f"{parts.scheme}://{shown}{rest}", f"{parts.scheme}://{shown}:{port}{rest}")


def vonage(secret: str, fields: Mapping[str, str], *, like: str) -> str | None:
    """`sig`: HMAC over `&name=value` in order, `&` and `=` in values replaced by `_`. SHA-256 or SHA-512, by length.

    None where `like` is as short as MD5 and SHA-1 make it: the account has to be set to SHA-256 or SHA-512.
    """
    algorithm = _STRONG.get(len(like))
    if algorithm is None:
        return None
    pairs = sorted((name, value) for name, value in fields.items() if name != "sig")
    text = "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in pairs)
    return hmac.new(secret.encode(), text.encode(errors="replace"), algorithm).hexdigest()


def webhook(key: bytes, *, event_id: str, timestamp: str, body: bytes) -> str:
    """One entry of `webhook-signature` (Standard Webhooks): HMAC-SHA256 over id, time and body."""
    signed = f"{event_id}.{timestamp}.".encode(errors="replace") + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def webhook_signed(key: bytes, headers: Mapping[str, str], body: bytes, *, now: datetime) -> bool:
    """Whether one of the entries in `webhook-signature` is ours, and the time it covers is recent."""
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    wanted = webhook(key, event_id=event_id, timestamp=timestamp, body=body)
    given = headers.get("webhook-signature", "").split(" ")
    return bool(event_id) and recent(timestamp, now) and any(same(each, wanted) for each in given)
