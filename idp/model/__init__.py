"""The nouns. Frozen, without behaviour beyond reading themselves; no SQL, no HTTP, no policy."""

from idp.model.browsers import SEEN_EVERY, Challenge, Interaction, Session
from idp.model.factors import NEVER_FRESH, SECOND, SENT, STRONG, TRAITS, AssuranceLevel, Factor, Traits
from idp.model.people import (
    Account,
    AuthenticationContext,
    AuthenticationEvent,
    Authenticator,
    Change,
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
    "NEVER_FRESH",
    "SECOND",
    "SEEN_EVERY",
    "SENT",
    "STRONG",
    "TRAITS",
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
    "Traits",
]
