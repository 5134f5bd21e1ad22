"""The one error of the embedded PostgreSQL."""

from idp.errors import IdpError


class LocalPostgresError(IdpError):
    """The embedded database cannot be had. The text is one sentence that says what to do; it holds no secret."""
