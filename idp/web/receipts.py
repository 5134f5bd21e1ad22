"""Where providers call back. Whoever calls is answered alike, and a wrong address costs no statement."""

from uuid import UUID

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp import metrics
from idp.errors import IdpError
from idp.flows.delivery import receipts
from idp.sms import BadSignature, Callback, Gateway
from idp.web.door import Unreadable, body, idp_of, query

_log = structlog.get_logger("idp.receipts")
_NOTHING_NEW = "nothing new"


async def receipt(request: Request) -> Response:
    """GET and POST /receipts/{gateway}/{attempt}/{key}: what became of one try, as its provider says."""
    raw = await body(request)
    gateway, attempt_id, key = _gateway(request), _attempt(request), request.path_params["key"]
    if gateway is not None and attempt_id is not None:
        idp = idp_of(request)
        if receipts.authentic(idp, gateway.name, attempt_id, key):
            callback = Callback(
                method=request.method,
                url=_public(request, receipts.url(idp, gateway.name, attempt_id)),
                received_at=idp.clock.now(),
                query=_query(request),
                headers={name.lower(): value for name, value in request.headers.items()},
                body=raw,
            )
            try:
                new = await receipts.take(idp, gateway, attempt_id, callback)
            except BadSignature:
                new = ["refused"]
            except IdpError:
                raise  # not now: a provider calls again
            except Exception as error:  # noqa: BLE001 - somebody else's plug-in reads what a stranger sent
                _log.error("receipt", gateway=gateway.name, error=type(error).__name__)
                new = ["broken"]
            for status in new or [_NOTHING_NEW]:
                metrics.observe_receipt(gateway.name, status)
            _log.info("receipt", gateway=gateway.name, attempt=str(attempt_id), statuses=list(new))
    return Response(None, 204, {"Cache-Control": "no-store"})


def _gateway(request: Request) -> Gateway | None:
    opened: tuple[Gateway, ...] = request.app.state.gateways
    return next((each for each in opened if each.name == request.path_params["gateway"]), None)


def _attempt(request: Request) -> UUID | None:
    """None for anything else, which is answered like a try that is not there."""
    text: str = request.path_params["attempt"]
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None


def _public(request: Request, given: str | None) -> str:
    """The address as the provider was given it, which it signed; proxies may have changed what we see."""
    asked = request.url.query
    return (given or str(request.url.replace(query=""))) + (f"?{asked}" if asked else "")


def _query(request: Request) -> dict[str, str]:
    try:
        return dict(query(request))
    except Unreadable:
        return {}


# By GET too, though it changes something: some providers know nothing else (SMSPM).
ROUTES = [Route(f"{receipts.PATH}/{{gateway}}/{{attempt}}/{{key}}", receipt, methods=["GET", "POST"])]
