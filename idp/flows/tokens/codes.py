"""Authorization codes: what was decided, sealed, on its way through the browser. Nothing is stored before the exchange.

A code that would make an address too long is parked: stored sealed as it is, and a short handle goes in its place.
"""

import base64
import zlib
from dataclasses import dataclass

from pydantic import TypeAdapter

from idp.crypto import KeyChain, digest, random_token
from idp.errors import SealBroken
from idp.flows.idp import Idp
from idp.model import AuthorizationCode, AuthorizationRequest, ResponseMode
from idp.oidc import answer
from idp.store.tokens import codes

_PURPOSE = "code"
_BOUND = "authorization code"
_HANDLE = len(random_token())


@dataclass(frozen=True, slots=True)
class Carried:
    """What a code says. `generation` is its session's at that moment."""

    code: AuthorizationCode
    generation: int


_JSON = TypeAdapter(Carried)


async def make(idp: Idp, carried: Carried, request: AuthorizationRequest) -> str:
    """The code for the answer to this request."""
    code = written(idp.secrets, carried)
    if request.response_mode is ResponseMode.FORM_POST:
        return code
    if answer.holds(request.redirect_uri, answer.success(request, code, issuer=idp.issuer)):
        return code
    handle = random_token()
    await codes.park(idp.db, handle_hash=digest(handle), sealed=code, expires_at=carried.code.expires_at)
    return handle


def written(secrets: KeyChain, carried: Carried) -> str:
    """The code itself, as long as it may be."""
    told = zlib.compress(_JSON.dump_json(carried, exclude_defaults=True), 1)
    return _encoded(secrets.seal(told, purpose=_PURPOSE, bound_to=_BOUND))


def _encoded(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


async def read(idp: Idp, code: str) -> Carried | None:
    """What a code of ours says, used or not, however old; None for anything else."""
    kept = await codes.parked(idp.db, handle_hash=digest(code)) if len(code) == _HANDLE else code
    if kept is None:
        return None
    try:
        sealed = base64.urlsafe_b64decode(f"{kept}{'=' * (-len(kept) % 4)}")
        if _encoded(sealed) != kept:
            return None
        return _JSON.validate_json(zlib.decompress(idp.secrets.unseal(sealed, purpose=_PURPOSE, bound_to=_BOUND)))
    except (SealBroken, ValueError):
        return None
