"""Twilio (api.twilio.com): form by POST, an error code for each way to fail, signed receipts. No SDK."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from idp.errors import SettingsError
from idp.model.regions import ByRegion
from idp.settings import Settings, missing_for
from idp.sms import BadSignature, Callback, Channel, Delivery, Message, Outcome, Reason, Receipt, Sent, signing
from idp.sms.phone import region
from idp.sms.wire import (
    Answer,
    Meaning,
    an_id,
    by_status,
    code_word,
    json_object,
    money,
    number,
    parse_form,
    post,
    spell,
)

_INVALID: Meaning = (Outcome.REJECTED, Reason.INVALID_NUMBER)
_NOT_MOBILE: Meaning = (Outcome.REJECTED, Reason.NOT_MOBILE)
_COUNTRY: Meaning = (Outcome.REJECTED, Reason.COUNTRY_DISABLED)
_FRAUD: Meaning = (Outcome.REJECTED, Reason.FRAUD_BLOCKED)
_BLOCKED: Meaning = (Outcome.REJECTED, Reason.BLOCKED)
_SENDER: Meaning = (Outcome.MISCONFIGURED, Reason.SENDER_INVALID)
_FUNDS: Meaning = (Outcome.MISCONFIGURED, Reason.NO_FUNDS)  # or the account is suspended

# The same codes come in answers and in receipts.
ERRORS: Mapping[str, Meaning] = {
    **dict.fromkeys(("21211", "30005"), _INVALID),
    **dict.fromkeys(("21614", "30006"), _NOT_MOBILE),
    **dict.fromkeys(("21408", "60605"), _COUNTRY),
    **dict.fromkeys(("30450", "30453", "60410"), _FRAUD),
    **dict.fromkeys(("30004", "30007"), _BLOCKED),
    **dict.fromkeys(("21212", "21606", "30034"), _SENDER),
    **dict.fromkeys(("20005", "10001", "90010", "30002"), _FUNDS),
    "20003": (Outcome.MISCONFIGURED, Reason.AUTH),
    "20429": (Outcome.NOT_SENT, Reason.RATE_LIMITED),
    "20500": (Outcome.AMBIGUOUS, Reason.PROVIDER_ERROR),
    "21610": (Outcome.REJECTED, Reason.OPTED_OUT),
    "21617": (Outcome.REJECTED, Reason.CONTENT_REJECTED),
    "30003": (Outcome.REJECTED, Reason.UNREACHABLE),
    "30036": (Outcome.REJECTED, Reason.EXPIRED),
}
_STATUSES: Mapping[str, Delivery] = {
    **dict.fromkeys(("accepted", "scheduled", "queued", "sending"), Delivery.QUEUED),
    "sent": Delivery.SENT,
    **dict.fromkeys(("delivered", "read"), Delivery.DELIVERED),
    **dict.fromkeys(("undelivered", "failed", "canceled"), Delivery.UNDELIVERED),
}
_LONGEST = 36_000  # seconds of ValidityPeriod


@dataclass(frozen=True, slots=True)
class TwilioGateway:
    """One account. `user` and `secret` are the account's or a key's; receipts are signed with the account's `token`."""

    client: httpx.AsyncClient = field(repr=False)
    account: str
    user: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    senders: ByRegion[str]
    url: str
    name: str = "twilio"
    channels: frozenset[Channel] = frozenset({Channel.SMS})
    idempotent: bool = False

    async def send(self, message: Message) -> Sent:
        """Try once; see `Gateway.send`. A message that waits longer than its code lives is not sent by Twilio."""
        sender = self.senders.of(region(message.to))
        service = sender.startswith("MG") and len(sender) == 34
        form = {
            "To": message.to,
            "MessagingServiceSid" if service else "From": sender,
            "Body": message.text,
            "ValidityPeriod": str(max(1, min(_LONGEST, int(message.ttl.total_seconds())))),
        }
        if message.receipt_url is not None:
            form["StatusCallback"] = message.receipt_url
        url = f"{self.url}/2010-04-01/Accounts/{self.account}/Messages.json"
        answer = await post(self.client, url, form=form, auth=(self.user, self.secret))
        return answer if isinstance(answer, Sent) else _judge(answer)

    def receipt(self, callback: Callback) -> list[Receipt]:
        """Read a signed form. The signature covers the URL with our key in it, but no time."""
        fields = parse_form(callback.body)
        given = callback.headers.get("x-twilio-signature", "")
        wanted = [signing.twilio(self.token, url, fields) for url in signing.twilio_urls(callback.url)]
        if not any(signing.same(given, each) for each in wanted):
            raise BadSignature("The receipt is not signed with IDP_TWILIO_AUTH_TOKEN.")
        said = dict(fields)
        provider_id, status = an_id(said.get("MessageSid")), said.get("MessageStatus")
        if provider_id is None or status is None:
            return []
        delivery, code = _STATUSES.get(status, Delivery.UNKNOWN), code_word(said.get("ErrorCode"))
        if delivery is not Delivery.UNDELIVERED:
            return [Receipt(provider_id, delivery, provider_code=code)]
        _, reason = ERRORS.get(code or "", (None, Reason.UNKNOWN))
        return [Receipt(provider_id, Delivery.EXPIRED if reason is Reason.EXPIRED else delivery, reason, code)]


def create(settings: Settings, client: httpx.AsyncClient) -> TwilioGateway:
    """The gateway of `IDP_TWILIO_*`. Raises `SettingsError` that names what is missing."""
    account, token, senders = settings.twilio_account_sid, settings.twilio_auth_token, settings.twilio_from
    if account is None or token is None or senders is None:
        raise SettingsError(missing_for("twilio", settings))
    key, secret = settings.twilio_api_key, settings.twilio_api_secret
    return TwilioGateway(
        client,
        account=account,
        user=account if key is None or secret is None else key,
        secret=(token if key is None or secret is None else secret).get_secret_value(),
        token=token.get_secret_value(),
        senders=senders,
        url=settings.twilio_url.rstrip("/"),
    )


def _judge(answer: Answer) -> Sent:
    body = json_object(answer)
    code = code_word(spell(body.get("code" if answer.status >= 400 else "error_code")))
    known = ERRORS.get(code or "")
    # Whatever a server error says, the message may be on its way.
    if known is not None and answer.status < 500:
        return Sent(known[0], reason=known[1], provider_code=code, retry_after=answer.retry_after)
    if (plain := by_status(answer)) is not None:
        return plain
    provider_id = an_id(body.get("sid"))
    if answer.status >= 400 or (provider_id and _STATUSES.get(str(body.get("status"))) is Delivery.UNDELIVERED):
        return Sent(Outcome.REJECTED, reason=Reason.UNKNOWN, provider_code=code)
    if provider_id is None:
        return Sent(Outcome.AMBIGUOUS, reason=Reason.BAD_RESPONSE)
    cost = money(body.get("price"))
    return Sent(
        Outcome.ACCEPTED,
        provider_id,
        segments=number(body.get("num_segments")),
        cost=None if cost is None else abs(cost),  # they write what they take as less than nothing
        currency=code_word(body.get("price_unit")),
    )
