"""The application's side of OpenID Connect: signing in, stepping up, and access tokens checked where they are used."""

from stile_rp.access import AccessToken, Need, require
from stile_rp.answers import Declined, Received, SignedIn
from stile_rp.claims import Person, SignedOutThere
from stile_rp.effects import Memory
from stile_rp.errors import (
    Misconfigured,
    Outdated,
    ProviderUnavailable,
    Refused,
    StepUpRequired,
    StileError,
    Untrusted,
)
from stile_rp.party import AsyncRelyingParty, RelyingParty
from stile_rp.settings import Settings
from stile_rp.step_up import BearerAuth, StepUp, step_up

__all__ = [
    "AccessToken",
    "AsyncRelyingParty",
    "BearerAuth",
    "Declined",
    "Memory",
    "Misconfigured",
    "Need",
    "Outdated",
    "Person",
    "ProviderUnavailable",
    "Received",
    "Refused",
    "RelyingParty",
    "Settings",
    "SignedIn",
    "SignedOutThere",
    "StepUp",
    "StepUpRequired",
    "StileError",
    "Untrusted",
    "require",
    "step_up",
]
