"""What the fake provider understands and says, once for each gateway. Written from the providers' side, on its own:

no adapter is imported, so that a mistake in one is not made here as well. Signatures are shared, and tested apart.
"""

import base64
import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from idp.sms import signing
from idp.testing.faults import Fault
from idp.testing.http import Request, Response
from idp.testing.orders import (
    ACCOUNT,
    API_KEY,
    API_SECRET,
    AUTH_TOKEN,
    HASH,
    SIGNATURE,
    TOKEN,
    WEBHOOK_KEY,
    WEBHOOK_SECRET,
    Call,
    Dialect,
    Order,
    answer,
    form_of,
    json_of,
    retry,
    same,
)


class Smspm:
    """https://api.smspm.com"""

    def understands(self, path: str) -> bool:
        """One URL."""
        return path == "/smspm"

    def read(self, request: Request, now: datetime) -> Order | Response:  # noqa: ARG002 - nothing is signed
        """JSON with the credentials in it."""
        said = json_of(request)
        if not (same(said.get("hash"), HASH) and same(said.get("token"), TOKEN)):
            return self.refused(Fault.CREDENTIALS)
        to, text = said.get("toNumber"), said.get("text")
        if not isinstance(to, str) or not to.isdecimal() or not text or not said.get("fromNumber"):
            return answer(400, {"status": "invalid_params"})
        return Order(f"+{to}", str(text), said.get("report"))

    def accepted(self, order: Order, message_id: str) -> Response:
        """With an id."""
        sent = {"id": message_id, "toNumber": order.to.removeprefix("+"), "status": "Added to queue"}
        return answer(200, {"messages": [sent]})

    def refused(self, fault: Fault) -> Response:
        """A word; some with status 200."""
        status, word = {
            Fault.INVALID: (200, "invalid_phone"),
            Fault.LANDLINE: (200, "invalid_phone"),
            Fault.FUNDS: (200, "low_balance"),
            Fault.SENDER: (200, "invalid_sender"),
            Fault.CREDENTIALS: (401, "auth_failed"),
            Fault.THROTTLED: (429, "rate_limit"),
            Fault.SERVER_ERROR: (500, "server_error"),
        }.get(fault, (200, "destination_blocked"))
        return answer(status, {"status": word}, retry(fault))

    def receipt(self, order: Order, message_id: str, fault: Fault, now: datetime) -> Call | None:  # noqa: ARG002
        """A GET that nobody signs; a forger does not know the id."""
        status = {Fault.UNDELIVERED: "failed", Fault.EXPIRED: "expired"}.get(fault, "delivered")
        said = {"id": message_id if fault is not Fault.FORGED else "forged", "status": status}
        return Call("GET", f"{order.receipt_url}?{urlencode({**said, 'toNumber': order.to.removeprefix('+')})}")


class Twilio:
    """https://api.twilio.com"""

    def understands(self, path: str) -> bool:
        """The account is in the path."""
        return path == f"/twilio/2010-04-01/Accounts/{ACCOUNT}/Messages.json"

    def read(self, request: Request, now: datetime) -> Order | Response:  # noqa: ARG002 - nothing is signed
        """A form, under Basic."""
        basic = "Basic " + base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
        if not same(request.headers.get("authorization"), basic):
            return self.refused(Fault.CREDENTIALS)
        said = form_of(request)
        if not said.get("To", "").startswith("+"):
            return self.refused(Fault.INVALID)
        if not (said.get("From") or said.get("MessagingServiceSid")):
            return self.refused(Fault.SENDER)
        if not said.get("Body") or not 1 <= int(said.get("ValidityPeriod", "0")) <= 36_000:
            return self._error(400, 21624)
        return Order(said["To"], said["Body"], said.get("StatusCallback"))

    def accepted(self, order: Order, message_id: str) -> Response:  # noqa: ARG002 - the number is not repeated here
        """With a sid; the price is not known yet."""
        said = {"sid": message_id, "status": "queued", "num_segments": "1", "price": None, "price_unit": "USD"}
        return answer(201, {**said, "error_code": None})

    def refused(self, fault: Fault) -> Response:
        """A code."""
        status, code = {
            Fault.INVALID: (400, 21211),
            Fault.LANDLINE: (400, 21614),
            Fault.OPTED_OUT: (400, 21610),
            Fault.COUNTRY: (400, 21408),
            Fault.FRAUD: (400, 30450),
            Fault.BLOCKED: (400, 30007),
            Fault.FUNDS: (403, 20005),
            Fault.SENDER: (400, 21606),
            Fault.CREDENTIALS: (401, 20003),
            Fault.THROTTLED: (429, 20429),
        }.get(fault, (500, 20500))
        return self._error(status, code, retry(fault))

    def _error(self, status: int, code: int, headers: Mapping[str, str] | None = None) -> Response:
        said = {
            "code": code,
            "message": "Said in a sentence.",
            "more_info": "https://twilio.example/",
            "status": status,
        }
        return answer(status, said, headers)

    def receipt(self, order: Order, message_id: str, fault: Fault, now: datetime) -> Call | None:  # noqa: ARG002
        """A form, signed together with the URL."""
        error = {Fault.UNDELIVERED: "30003", Fault.EXPIRED: "30036"}.get(fault)
        said = {"MessageSid": message_id, "MessageStatus": "undelivered" if error else "delivered", "To": order.to}
        fields = {**said, "AccountSid": ACCOUNT, **({"ErrorCode": error} if error else {})}
        url = order.receipt_url or ""
        signature = signing.twilio("forged" if fault is Fault.FORGED else AUTH_TOKEN, url, fields.items())
        headers = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature}
        return Call("POST", url, headers, urlencode(fields).encode())


class Vonage:
    """https://rest.nexmo.com"""

    def understands(self, path: str) -> bool:
        """One URL."""
        return path == "/vonage/sms/json"

    def read(self, request: Request, now: datetime) -> Order | Response:  # noqa: ARG002 - nothing is signed
        """A form with the credentials in it."""
        said = form_of(request)
        if not (same(said.get("api_key"), API_KEY) and same(said.get("api_secret"), API_SECRET)):
            return self.refused(Fault.CREDENTIALS)
        if not said.get("to", "").isdecimal() or not said.get("text"):
            return self.refused(Fault.INVALID)
        return Order(f"+{said['to']}", said["text"], said.get("callback"))

    def accepted(self, order: Order, message_id: str) -> Response:
        """Status 0 for the only part."""
        said = {"to": order.to.removeprefix("+"), "message-id": message_id, "status": "0", "message-price": "0.0333"}
        return answer(200, {"message-count": "1", "messages": [{**said, "network": "24801"}]})

    def refused(self, fault: Fault) -> Response:
        """Always 200, even for our own failure."""
        status = {
            Fault.INVALID: "3",
            Fault.LANDLINE: "6",
            Fault.COUNTRY: "6",
            Fault.FUNDS: "9",
            Fault.SENDER: "15",
            Fault.CREDENTIALS: "4",
            Fault.THROTTLED: "1",
            Fault.SERVER_ERROR: "5",
        }.get(fault, "7")
        refusal = {"status": status, "error-text": "Said in a sentence."}
        return answer(200, {"message-count": "1", "messages": [refusal]}, retry(fault))

    def receipt(self, order: Order, message_id: str, fault: Fault, now: datetime) -> Call | None:
        """A GET, signed together with the time."""
        status, code = {Fault.UNDELIVERED: ("failed", "2"), Fault.EXPIRED: ("expired", "1")}.get(
            fault, ("delivered", "0")
        )
        said = {"messageId": message_id, "status": status, "err-code": code, "msisdn": order.to.removeprefix("+")}
        said |= {"timestamp": str(int(now.timestamp())), "nonce": message_id[::-1]}
        secret = "forged" if fault is Fault.FORGED else SIGNATURE
        signature = signing.vonage(secret, said, like="-" * 64)
        return Call("GET", f"{order.receipt_url}?{urlencode({**said, 'sig': signature})}")


class Webhook:
    """Anybody's own."""

    def understands(self, path: str) -> bool:
        """One URL."""
        return path == "/webhook"

    def read(self, request: Request, now: datetime) -> Order | Response:
        """A signed event."""
        if not signing.webhook_signed(WEBHOOK_KEY, request.headers, request.body, now=now):
            return self.refused(Fault.CREDENTIALS)
        event = json_of(request)
        data = event.get("data")
        if event.get("type") != "message.send" or not isinstance(data, dict):
            return answer(400, {"reason": "unknown"})
        key = request.headers.get("idempotency-key")
        if key is None or key != data.get("id") or not isinstance(data.get("to"), str) or not data.get("text"):
            return answer(400, {"reason": "unknown"})
        return Order(data["to"], data["text"], data.get("receipt_url"), key)

    def accepted(self, order: Order, message_id: str) -> Response:  # noqa: ARG002 - the number is not repeated here
        """With an id."""
        return answer(202, {"id": message_id})

    def refused(self, fault: Fault) -> Response:
        """A reason in our words."""
        status, reason = {
            Fault.INVALID: (422, "invalid_number"),
            Fault.LANDLINE: (422, "not_mobile"),
            Fault.OPTED_OUT: (422, "opted_out"),
            Fault.COUNTRY: (422, "country_disabled"),
            Fault.FRAUD: (422, "fraud_blocked"),
            Fault.BLOCKED: (422, "blocked"),
            Fault.FUNDS: (402, "no_funds"),
            Fault.SENDER: (422, "sender_invalid"),
            Fault.CREDENTIALS: (401, "auth"),
            Fault.THROTTLED: (429, "rate_limited"),
        }.get(fault, (500, "provider_error"))
        return answer(status, {"reason": reason}, retry(fault))

    def receipt(self, order: Order, message_id: str, fault: Fault, now: datetime) -> Call | None:
        """An event, signed as ours are."""
        status, reason = {
            Fault.UNDELIVERED: ("undelivered", "unreachable"),
            Fault.EXPIRED: ("expired", "expired"),
        }.get(fault, ("delivered", None))
        event = {"type": "message.status", "data": {"id": message_id, "status": status, "reason": reason}}
        body, timestamp = json.dumps(event).encode(), str(int(now.timestamp()))
        key = b"forged" if fault is Fault.FORGED else WEBHOOK_KEY
        headers = {
            "content-type": "application/json",
            "webhook-id": f"r-{message_id}",
            "webhook-timestamp": timestamp,
            "webhook-signature": signing.webhook(key, event_id=f"r-{message_id}", timestamp=timestamp, body=body),
        }
        return Call("POST", order.receipt_url or "", headers, body)


DIALECTS: Mapping[str, Dialect] = {"smspm": Smspm(), "twilio": Twilio(), "vonage": Vonage(), "webhook": Webhook()}


def settings(url: str) -> dict[str, dict[str, str]]:
    """What to set so that each gateway sends to the fake at this URL, without `IDP_SMS_GATEWAYS`."""
    return {
        "smspm": {"IDP_SMSPM_URL": f"{url}/smspm", "IDP_SMSPM_HASH": HASH, "IDP_SMSPM_TOKEN": TOKEN},
        "twilio": {
            "IDP_TWILIO_URL": f"{url}/twilio",
            "IDP_TWILIO_ACCOUNT_SID": ACCOUNT,
            "IDP_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "IDP_TWILIO_FROM": "+12025550100",
        },
        "vonage": {
            "IDP_VONAGE_URL": f"{url}/vonage/sms/json",
            "IDP_VONAGE_API_KEY": API_KEY,
            "IDP_VONAGE_API_SECRET": API_SECRET,
            "IDP_VONAGE_SIGNATURE_SECRET": SIGNATURE,
            "IDP_VONAGE_FROM": "Acme",
        },
        "webhook": {"IDP_WEBHOOK_URL": f"{url}/webhook", "IDP_WEBHOOK_SECRET": WEBHOOK_SECRET},
    }
