"""A sign-in tried out, as `idp policy check` and `idp client try` print it."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import client_options as options
from idp.cli import output

if TYPE_CHECKING:
    from idp.flows.operate.trying import Asked, Tried
    from idp.policy import Policy

EXAMPLES = (
    "\b\nExamples:\n"
    "  idp client try Shop                                   somebody with a phone and an app signs in\n"
    "  idp client try Shop --user ada --scope openid --scope email"
)


def client_try(
    client: options.Which,
    *,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="A username.  [default: somebody with a phone and an app]")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="What is asked for; may be repeated.  [default: openid]")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Say what somebody would be asked who signs in to this client, and what its tokens would say.

    Nobody is signed in and nothing is stored; `idp policy check` tries requests with acr_values, max_age or details.
    """
    from idp.flows.operate.trying import Asked, try_sign_in
    from idp.serving.place import run

    asked = Asked(username=user, client=client, scopes=tuple(options.each_scope(scope) or ()))
    tried = run(lambda idp: try_sign_in(idp, asked))
    output.show(fields(tried), [*lines(tried), *_told(tried)], as_json=as_json)


def found(policy: "Policy", asked: "Asked") -> "Tried":
    """What is asked, tried by this policy; the database is looked at only for whom and what is in it."""
    from idp.clock import DatabaseClock
    from idp.flows.operate.people import NotAcceptable
    from idp.flows.operate.trying import tried, try_sign_in
    from idp.serving.place import run
    from idp.settings import read_settings

    if asked.signed_in_with is not None and asked.signed_in_with not in policy.factors:
        there = ", ".join(policy.factors)
        raise typer.BadParameter(
            f"{asked.signed_in_with!r} is no factor of the policy: there are {there}", param_hint="'--signed-in'"
        )
    try:
        if asked.username is None and asked.client is None:
            issuer = read_settings(os.environ).issuer
            return tried(policy, asked, person=None, client=None, issuer=issuer, now=DatabaseClock().now())
        return run(lambda idp: try_sign_in(idp, asked, policy=policy))
    except NotAcceptable as error:
        raise typer.BadParameter(str(error), param_hint="'--site'" if asked.site else "'--details'") from None


def fields(tried: "Tried") -> dict[str, Any]:
    """For `--json`."""
    walked, told = tried.walked, tried.told
    return {
        "granted": walked.granted,
        "answer": walked.answer,
        "steps": [{"asked": step.asked, "answered": step.answered} for step in walked.steps],
        "left_out": [{"asked": asked, "why": why} for asked, why in tried.left_out.items()],
        "checks": [{"check": line.check, "found": line.found} for line in walked.why],
        "access_token": None if told is None else told.access_token,
        "id_token": None if told is None else told.id_token,
        "userinfo": None if told is None else told.userinfo,
        "refreshed": () if told is None else tuple(told.refreshed),
    }


def lines(tried: "Tried") -> list[str]:
    """The questions one by one, and the answer."""
    walked = tried.walked
    steps = [f"{number}. {step.asked}\n   the person {step.answered}" for number, step in enumerate(walked.steps, 1)]
    ignored = [f"{asked} is left out: {why}" for asked, why in tried.left_out.items()]
    return [*ignored, *steps, f"=> {walked.answer}"]


def _told(tried: "Tried") -> Iterator[str]:
    if (told := tried.told) is None:
        return
    yield from _claims("The access token says", told.access_token)
    if told.id_token is not None:
        yield from _claims("The ID token says", told.id_token)
    if told.userinfo is not None:
        yield from _claims("Userinfo answers", told.userinfo)
    if told.refreshed:
        yield f"A refresh token carries {' '.join(told.refreshed)}."


def _claims(what: str, told: Mapping[str, Any]) -> Iterator[str]:
    yield f"{what}:"
    yield from (f"  {name}: {json.dumps(value, ensure_ascii=False)}" for name, value in told.items())
