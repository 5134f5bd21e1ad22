"""ID tokens that come back as `id_token_hint`. Expired ones are welcome (OIDC Core 3.1.2.1, RP-Initiated Logout 2)."""

from dataclasses import dataclass

from idp.oidc.jws import Untrusted
from idp.oidc.keys import ID_TOKEN, KeyRing


@dataclass(frozen=True, slots=True)
class Hint:
    """An ID token that this provider issued, at whatever time: to whom, about whom, in which session."""

    client_id: str
    subject: str
    session_id: str | None


def read(token: str, *, keys: KeyRing, issuer: str) -> Hint:
    """What a genuine ID token says. Raises `jws.Untrusted` for every other token, ours included."""
    claims = keys.verify(token, typ=ID_TOKEN)
    audience, subject, session_id = claims.get("aud"), claims.get("sub"), claims.get("sid")
    # userinfo answers are signed with the same keys and have no exp
    if claims.get("iss") != issuer or "exp" not in claims:
        raise Untrusted("not an ID token of ours")
    if not isinstance(audience, str) or not isinstance(subject, str) or not isinstance(session_id, str | None):
        raise Untrusted("not an ID token of ours")
    return Hint(client_id=audience, subject=subject, session_id=session_id)
