"""The browser that a second factor was proved in: from then on it is known to be the person's, and proves nothing."""

from dataclasses import replace
from datetime import datetime

from idp.addresses import UNKNOWN_ADDRESS
from idp.flows.idp import Idp, Visitor, device_key
from idp.model import TRAITS, Factor
from idp.store.people.devices import Browser


def browser(idp: Idp, visitor: Visitor, cookie: str, factor: Factor, *, now: datetime) -> Browser:
    """What is kept of it, under the cookie that it is given."""
    key = device_key(idp, replace(visitor, device=cookie))
    assert key is not None, "the cookie is ours"
    return Browser(
        key=key,
        user_agent=visitor.user_agent,
        address=None if visitor.address == UNKNOWN_ADDRESS else visitor.address,
        factor=None if TRAITS[factor].once else factor,
        until=now + idp.policy.sessions.known,
    )
