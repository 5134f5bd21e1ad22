"""Mail about our mail: reports that it did not arrive (RFC 3464) and complaints (RFC 5965), read. Changes nothing.

Anybody may send such a report. It counts by the Message-ID that it repeats: it has 122 random bits, and nobody knows it
but the servers and the reader of that very mail.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.message import MIMEPart
from email.policy import default
from email.utils import parseaddr
from uuid import UUID

from idp.model.mail import is_address
from idp.sms import Reason

LONGEST = 1024 * 1024  # bytes of a report
_MESSAGE_ID = re.compile(r"<([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})@[A-Za-z0-9.-]{1,253}>")
_STATUS = re.compile(r"5\.[0-9]{1,3}\.[0-9]{1,3}")
# RFC 3463 3: no such mailbox or host, one that was closed, and what is final without a reason.
_NO_MAILBOX = re.compile(r"5\.(1\.[0-9]+|2\.1|0\.0)")
_COMPLAINS = frozenset({"abuse", "fraud"})  # RFC 5965 7.3


@dataclass(frozen=True, slots=True)
class Returned:
    """A mail of ours that did not arrive, or that its reader complained of: which try, to whom, why.

    `reason` is one that closes a mailbox, `INVALID_NUMBER` or `OPTED_OUT`, or another.
    """

    attempt_id: UUID
    provider_id: str
    to: str
    reason: Reason
    code: str


def read(raw: bytes) -> Returned | None:
    """What a report says for good. None for what is none, says "later" or "arrived", or is not about a mail of ours."""
    try:
        return _read(message_from_bytes(raw[:LONGEST], policy=default))
    except (MessageError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # what the library cannot take apart was made by somebody who meant it so


def _read(mail: MIMEPart) -> Returned | None:
    kind = str(mail.get_param("report-type", "")).lower()
    if mail.get_content_type() != "multipart/report" or kind not in {"delivery-status", "feedback-report"}:
        return None
    parts = [part for part in mail.walk() if part is not mail]
    why = _complaint(parts) if kind == "feedback-report" else _failure(parts)
    ours = next(_ours(parts), None)
    if why is None or ours is None:
        return None
    (reason, code), (attempt_id, provider_id, to) = why, ours
    return Returned(attempt_id, provider_id, to, reason, code)


def _failure(parts: list[MIMEPart]) -> tuple[Reason, str] | None:
    """RFC 3464 2.3.3, 2.3.4: what became of the recipient, each of whom we wrote to alone."""
    for part in parts:
        if part.get_content_type() != "message/delivery-status":
            continue
        for fields in part.iter_parts() if part.is_multipart() else ():
            status = _STATUS.search(_text(fields, "Status"))
            if _text(fields, "Action").lower() == "failed" and status is not None:
                closed = _NO_MAILBOX.fullmatch(status[0]) is not None
                return (Reason.INVALID_NUMBER if closed else Reason.UNREACHABLE), status[0]
    return None


def _complaint(parts: list[MIMEPart]) -> tuple[Reason, str] | None:
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            kind = re.search(r"^feedback-type:[ \t]*([a-z-]{1,40})", _body(part), re.IGNORECASE | re.MULTILINE)
            if kind is not None and kind[1].lower() in _COMPLAINS:
                return Reason.OPTED_OUT, kind[1].lower()
    return None


def _ours(parts: list[MIMEPart]) -> Iterator[tuple[UUID, str, str]]:
    """The mail that came back, whole or its headers alone (RFC 3462 2): Message-ID and To."""
    for part in parts:
        if part.get_content_type() == "text/rfc822-headers":
            headers = message_from_bytes(_body(part).encode("utf-8", "replace"), policy=default)
            yield from _named(headers)
        elif part.get_content_type() == "message/rfc822" and part.is_multipart():
            yield from (found for inner in part.iter_parts() for found in _named(inner))


def _named(headers: object) -> Iterator[tuple[UUID, str, str]]:
    if not isinstance(headers, MIMEPart):
        return
    found = _MESSAGE_ID.fullmatch(_text(headers, "Message-ID"))
    to = parseaddr(_text(headers, "To"))[1]
    if found is not None and is_address(to):
        yield UUID(found[1]), found[0][1:-1], to


def _text(part: MIMEPart, name: str) -> str:
    return str(part.get(name, "")).strip()[:1000]


def _body(part: MIMEPart) -> str:
    """The text of a part; of one that holds a message of its own, as the library takes it, that message."""
    if part.is_multipart():
        return "\n".join(str(inner) for inner in part.iter_parts())
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
