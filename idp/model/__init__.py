"""The nouns. Frozen, without behaviour beyond reading themselves; no SQL, no HTTP, no policy."""

from idp.model.browsers import SEEN_EVERY, Challenge, Device, Interaction, Session
from idp.model.details import APPROVE, Approved, Details
from idp.model.factors import NEVER_FRESH, SECOND, SENT, STRONG, TRAITS, AssuranceLevel, Factor
from idp.model.notices import EVERYWHERE, LINKLESS, Notice, Texting
from idp.model.operators import NOBODY, OPERATOR, SHELL, Operator, Role
from idp.model.people import (
    OUR_CODES,
    UNTIL_RECOVERED,
    Account,
    AppCodes,
    AuthenticationContext,
    AuthenticationEvent,
    Authenticator,
    Change,
    Passkey,
    Past,
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
    Registration,
    ResponseMode,
)
