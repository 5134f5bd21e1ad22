"""Whether whoever does an operator's work may: asked first by everything that is done here, whichever face called."""

from collections.abc import Collection

from idp.errors import IdpError
from idp.flows.idp import Idp
from idp.model import OPERATOR
from idp.policy import Act, denied


class NotPermitted(IdpError):
    """The operator may not do this; the text says why, to them. With one of `scopes` they might."""

    def __init__(self, why: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.scopes = scopes


def permit(
    idp: Idp,
    act: Act,
    *,
    on: Collection[str] | None = None,
    into: Collection[str] = (),
    scopes: Collection[str] = (),
) -> None:
    """Go on if this operator may: `on` somebody of these groups, putting them `into` those; to a client of `scopes`.

    Raises `NotPermitted`.
    """
    refused = denied(OPERATOR.get(), act, idp.policy, on=on, into=into, scopes=scopes)
    if refused is not None:
        raise NotPermitted(refused.why, refused.scopes)
