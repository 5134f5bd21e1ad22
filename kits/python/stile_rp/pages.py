"""What people are shown when signing in did not work: a plain page that says what to do. Yours, if you like."""

from dataclasses import dataclass
from html import escape

from stile_rp.answers import Declined
from stile_rp.errors import Misconfigured, Outdated, ProviderUnavailable, StileError

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --paper: #fff; --ink: #1c2230; --press: #1d4ed8; --on: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --paper: #14171d; --ink: #e8eaf0; --press: #9db7ff; --on: #14171d; }}
}}
body {{ margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; }}
main {{ max-width: 34rem; margin: 12vh auto 0; padding: 0 1.25rem; }}
h1 {{ font-size: 1.625rem; line-height: 1.25; }}
a {{ display: inline-block; margin-top: .5rem; padding: .7rem 1.4rem; border-radius: .4rem; font-weight: 600;
  background: var(--press); color: var(--on); text-decoration: none; }}
a:focus-visible {{ outline: 3px solid var(--ink); outline-offset: 2px; }}
</style>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p><a href="{again}">{press}</a></p>
</main>
"""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why somebody is not signed in. `again` is the path that tries once more."""

    status: int
    title: str
    text: str
    again: str
    press: str


def of_error(error: StileError, again: str) -> Problem:
    """What to tell a person of this."""
    if isinstance(error, Misconfigured):
        text = (
            "This site and its sign-in service do not agree about how people sign in. Nothing was changed. "
            "Please tell the people who run this site: its log says what to change."
        )
        return Problem(503, "Signing in does not work here", text, again, "Try again")
    if isinstance(error, ProviderUnavailable):
        text = "The sign-in service cannot be reached at the moment. Nothing was changed. Please try again shortly."
        return Problem(503, "Signing in is not available", text, again, "Try again")
    if not isinstance(error, Outdated):
        text = (
            "What the sign-in service answered could not be believed here. Nothing was changed. "
            "Please try again; if it happens each time, tell the people who run this site."
        )
        return Problem(400, "You are not signed in", text, again, "Try again")
    text = (
        "This sign-in was finished already, took too long, or was begun in another browser. Nothing was changed. "
        "If it happens each time, allow cookies for this site."
    )
    return Problem(400, "Please sign in once more", text, again, "Sign in")


def of_declined(declined: Declined, again: str) -> Problem:
    """What to tell a person whom the provider did not sign in."""
    if declined.cancelled:
        text = "You stopped signing in, or did not allow it. You can try again whenever you like."
        return Problem(403, "You are not signed in", text, again, "Sign in")
    said = f" The sign-in service says: {declined.description}" if declined.description else ""
    return Problem(403, "You are not signed in", f"Signing in did not work.{said}", again, "Try again")


SIGNED_OUT = ("You are signed out", "You are signed out here and at the sign-in service.", "Sign in again")


def html(problem: Problem) -> str:
    """The page."""
    told = {name: escape(getattr(problem, name)) for name in ("title", "text", "again", "press")}
    return _PAGE.format(**told)
