"""What every dialect of the fake provider shares: a message that was asked for, a call that tells, the credentials."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl

from idp.testing.faults import Fault
from idp.testing.http import Request, Response

# Whoever reads this may send to the fake, and nowhere else.
HASH, TOKEN = "fake-hash", "fake-token"
ACCOUNT, AUTH_TOKEN = "AC" + "f" * 32, "fake-auth-token"
API_KEY, API_SECRET, SIGNATURE = "fakekey", "fake-api-secret", "fake-signature-secret"
WEBHOOK_KEY = b"fake-provider-webhook-key"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(WEBHOOK_KEY).decode()


@dataclass(frozen=True, slots=True)
class Order:
    """A message that somebody with the right credentials asked to be sent. `key` is what makes it the same again."""

    to: str
    text: str = field(repr=False)
    receipt_url: str | None = field(default=None, repr=False)
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a receipt URL."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)


class Dialect(Protocol):
    """One provider's side of the conversation."""

    def understands(self, path: str) -> bool:
        """Whether a request to this path is for it."""
        ...

    def read(self, request: Request, now: datetime) -> Order | Response:
        """The message that is asked for, or the refusal of whoever may not ask or asks wrongly."""
        ...

    def accepted(self, order: Order, message_id: str) -> Response:
        """It will be sent."""
        ...

    def refused(self, fault: Fault) -> Response:
        """It will not be sent."""
        ...

    def receipt(self, order: Order, message_id: str, fault: Fault, now: datetime) -> Call | None:
        """What became of it; signed with another's key where it is forged."""
        ...


def answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(status, json.dumps(body).encode(), {"content-type": "application/json", **(headers or {})})


def json_of(request: Request) -> dict[str, Any]:
    """The object that was posted; empty for anything else."""
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def form_of(request: Request) -> dict[str, str]:
    """The form that was posted."""
    return dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))


def same(given: object, wanted: str) -> bool:
    """Whether a credential is the right one."""
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def retry(fault: Fault) -> dict[str, str]:
    """How long to wait, where that is the fault."""
    return {"retry-after": "7"} if fault is Fault.THROTTLED else {}
