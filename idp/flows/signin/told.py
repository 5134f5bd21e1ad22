"""Who cannot approve what is asked of them is told why on a page of ours, before the client is."""

from dataclasses import dataclass
from uuid import UUID

from idp.model import Account, AuthorizationRequest, Client, Prompt
from idp.policy import UNMET, Refuse


@dataclass(frozen=True, slots=True)
class Told:
    """The page that says it. The request goes on until the person leaves it: then the client is answered."""

    refuse: Refuse
    interaction_id: UUID
    request: AuthorizationRequest
    client: Client
    account: Account | None


def is_told(refuse: Refuse, request: AuthorizationRequest) -> bool:
    """Whether this refusal of a request is for the person first; with `prompt=none` there is nobody to tell."""
    return refuse.error == UNMET and request.details is not None and Prompt.NONE not in request.prompts
