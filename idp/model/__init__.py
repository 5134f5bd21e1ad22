"""The nouns. Frozen, without behaviour beyond reading themselves; no SQL, no HTTP, no policy."""

from idp.model.browsers import Challenge, Interaction, Session
from idp.model.people import (
    Account,
    AssuranceLevel,
    AuthenticationContext,
    AuthenticationEvent,
    Authenticator,
    Change,
    Factor,
    Swap,
)
from idp.model.protocol import (
    AuthMethod,
    AuthorizationCode,
    AuthorizationRequest,
    ClaimsRequest,
    Client,
    Grant,
    Holder,
    Prompt,
    RefreshToken,
    ResponseMode,
)

__all__ = [
    "Account",
    "AssuranceLevel",
    "AuthMethod",
    "AuthenticationContext",
    "AuthenticationEvent",
    "Authenticator",
    "AuthorizationCode",
    "AuthorizationRequest",
    "Challenge",
    "Change",
    "ClaimsRequest",
    "Client",
    "Factor",
    "Grant",
    "Holder",
    "Interaction",
    "Prompt",
    "RefreshToken",
    "ResponseMode",
    "Session",
    "Swap",
]
