"""What can go wrong, each with a sentence for whoever reads the log. What people are shown is in `pages`."""

from collections.abc import Mapping
from typing import Any


class StileError(Exception):
    """Everything the kit raises."""


class Misconfigured(StileError):
    """This application, or its registration at the provider, is set up wrongly: a developer has to change it."""


class ProviderUnavailable(StileError):
    """The provider cannot be reached or makes no sense. Nothing was decided; the same can be tried again later."""


class Untrusted(StileError):
    """What came is not what the provider would have said here. Nothing of it may be used."""


class Outdated(Untrusted):
    """The answer belongs to no sign-in that waits: Back, a reload, a second tab, a link, or a lost session."""


class StepUpRequired(StileError):
    """An API wants more than this token proves. Send the browser to `url`.

    `logins` has what has to be in the session when it comes back: `session_logins.update(error.logins)`. The adapters
    do both by themselves.
    """

    def __init__(self, url: str, logins: Mapping[str, Any], *, kept_under: str | None = None) -> None:
        super().__init__("the API asks for a stronger or fresher authentication: send the browser to .url")
        self.url = url
        self.logins = logins
        self.kept_under = kept_under


class Refused(StileError):
    """Why an API says no, as RFC 6750 3 and RFC 9470 3 write it. `status`, `headers` and `body` are the answer."""

    def __init__(self, status: int, error: str | None = None, description: str = "", **more: str) -> None:
        super().__init__(description or error or "there is no access token")
        self.status = status
        self.error = error
        # RFC 6750 3.1: a request without a token is told nothing more
        told = {} if error is None else {"error": error, "error_description": description, **more}
        challenge = ", ".join(f'{name}="{value}"' for name, value in told.items() if value)
        self.headers = {"WWW-Authenticate": f"Bearer {challenge}".strip(), "Cache-Control": "no-store"}
        self.body = {"error": error or "unauthorized", **({"error_description": description} if description else {})}
