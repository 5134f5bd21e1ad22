"""How gateways speak HTTP: one client, one time-out, and what a failure means. No provider's words are known here.

Nothing is logged, and no exception leaves: their texts hold URLs, and providers' error texts hold numbers.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qsl

import httpx

from idp.sms import Outcome, Reason, Sent
from idp.sms.told import amount

TOTAL = timedelta(seconds=10)
_TIMEOUT = httpx.Timeout(connect=3, read=8, write=8, pool=3)
_LONGEST_ANSWER = 64 * 1024
_LONGEST_WAIT = 86_400
_LONGEST_AMOUNT = 40
_MOST_FIELDS = 100
_PLAINLY = {"accept-encoding": "identity"}

# The request never left, so trying again cannot send it twice.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)
Meaning = tuple[Outcome, Reason]
_BY_STATUS: Mapping[int, Meaning] = {
    401: (Outcome.MISCONFIGURED, Reason.AUTH),
    403: (Outcome.MISCONFIGURED, Reason.AUTH),
    404: (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE),
    405: (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE),
    408: (Outcome.AMBIGUOUS, Reason.TIMEOUT),
    410: (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE),
    415: (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE),
    429: (Outcome.NOT_SENT, Reason.RATE_LIMITED),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer: `body` is its JSON, or None when it was none, too long or compressed."""

    status: int
    body: object
    retry_after: timedelta | None = None


def new_client() -> httpx.AsyncClient:
    """The client that all gateways of a process share. Redirects are not followed: they would carry secrets away.

    Nor are cookies kept: they would pile up, and what one message was answered would go along with the next.
    """
    forgetful = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, cookies=forgetful)


async def post(
    client: httpx.AsyncClient,
    url: str,
    *,
    json_body: Mapping[str, object] | None = None,
    form: Mapping[str, str] | None = None,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    total: timedelta = TOTAL,
) -> Answer | Sent:
    """Post once. An `Answer` with whatever status, or what a failed exchange means."""
    try:
        async with (
            asyncio.timeout(total.total_seconds()),
            client.stream(
                "POST",
                url,
                json=json_body,
                data=form,
                content=content,
                headers={**_PLAINLY, **(headers or {})},
                auth=auth,
                follow_redirects=False,
            ) as response,
        ):
            body = await _read(response)
            return Answer(response.status_code, parse_json(body), _retry_after(response.headers.get("retry-after")))
    except _NEVER_LEFT as error:
        return Sent(Outcome.NOT_SENT, reason=_reason(error))
    except (TimeoutError, httpx.RequestError) as error:
        # After the request left nobody knows: the message may be on its way.
        return Sent(Outcome.AMBIGUOUS, reason=_reason(error))
    except (httpx.InvalidURL, ValueError):
        # httpx reads where a redirect leads even if nobody follows it.
        return Sent(Outcome.AMBIGUOUS, reason=Reason.BAD_RESPONSE)


def by_status(answer: Answer) -> Sent | None:
    """What a status alone says; None for 2xx and for 4xx that need the provider's own words."""
    status = answer.status
    if status >= 500:
        meaning = (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR)
    elif 300 <= status < 400:
        meaning = (Outcome.MISCONFIGURED, Reason.BAD_RESPONSE)
    elif status in _BY_STATUS:
        meaning = _BY_STATUS[status]
    else:
        return None
    return Sent(meaning[0], reason=meaning[1], retry_after=answer.retry_after)


def parse_json(body: bytes | None) -> object:
    """The JSON in these bytes, or None for anything else, however deep or long."""
    if body is None:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def code_word(text: object) -> str | None:
    """A provider's code, if it is a word and no sentence: only that is stored."""
    return text if isinstance(text, str) and re.fullmatch("[A-Za-z0-9_.-]{1,40}", text) else None


def json_object(answer: Answer) -> Mapping[str, Any]:
    """The object that a provider answered with; empty for anything else."""
    return answer.body if isinstance(answer.body, dict) else {}


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The fields of a posted form, in order; empty for what is none. Bytes that are no UTF-8 become other signs."""
    try:
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


def spell(value: object) -> str | None:
    """A code or an amount that may be written as a word or as a number; None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def an_id(value: object) -> str | None:
    """A provider's name for a message: one word of reasonable length."""
    text = spell(value)
    return text if text is not None and re.fullmatch("[A-Za-z0-9_.:=+/-]{1,128}", text) else None


def number(value: object) -> int | None:
    """A small count, however it is written."""
    text = spell(value)
    return int(text) if text is not None and re.fullmatch("[0-9]{1,3}", text) else None


def money(value: object) -> Decimal | None:
    """An amount, however it is written, if one message can cost so much."""
    text = spell(value)
    try:
        return None if text is None or len(text) > _LONGEST_AMOUNT else amount(Decimal(text))
    except InvalidOperation:
        return None


async def _read(response: httpx.Response) -> bytes | None:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return None  # nobody knows how long it becomes, and it was not asked for
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            return None
    return body


def _retry_after(value: str | None) -> timedelta | None:
    if value is None or not re.fullmatch("[0-9]{1,9}", value):
        return None
    return timedelta(seconds=min(int(value), _LONGEST_WAIT))


def _reason(error: Exception) -> Reason:
    return Reason.TIMEOUT if isinstance(error, TimeoutError | httpx.TimeoutException) else Reason.NETWORK
