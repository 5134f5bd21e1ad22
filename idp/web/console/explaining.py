"""One decision explained in the console: a sign-in tried out for a person and an application. Nothing is stored.

The request that is tried stands in the address of the page, so that reload, Back and a bookmark try it again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.trying import Asked, Tried, try_sign_in
from idp.flows.people.console import EXPLAIN_PATH, POLICY_PATH
from idp.model import Prompt
from idp.oidc.strictjson import storable
from idp.sentences import sentence
from idp.web.console.door import come_in, frame, missing, show
from idp.web.door import idp_of, query
from idp.web.pages.console import NO, YES, Cell, Detail, Fact, Input, Link, Query, Section
from idp.web.rooms import url

_LONGEST = 4000  # characters of one field
_PROMPTS = [("", "–"), *((each.value, each.value) for each in Prompt)]
_YEARS = 315_360_000  # seconds
_ABOUT = mark("What somebody would be asked, why, and what the application would get. Nobody is signed in by it.")


async def explain(request: Request) -> Response:
    """GET /admin/policy/explain: the form, and below it what comes of what it says."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    given = {name: value.strip()[:_LONGEST] for name, value in query(request) if storable(value)}
    wrong: tuple[str, ...] = ()
    sections: Sequence[Section] = ()
    if given:
        try:
            sections = tuple(_sections(given, await try_sign_in(idp, _asked(given))))
        except (NotThere, NotAcceptable) as error:
            wrong = tuple(error.problems)
        except IdpError as error:
            return missing(request, error)
    form = Query(
        action=url(request, EXPLAIN_PATH), about=_ABOUT, button=mark("Explain"), inputs=_inputs(idp, given), said=wrong
    )
    shown = Detail(
        frame=frame(request, staff),
        title=mark("Explain a decision"),
        ours=True,
        back=Link(mark("Policy"), url(request, POLICY_PATH)),
        query=form,
        sections=sections,
    )
    return show(request, staff, shown, status=422 if wrong else 200)


def _asked(given: Mapping[str, str]) -> Asked:
    age = given.get("max_age", "")
    if age and not (age.isascii() and age.isdecimal() and len(age) < 12 and int(age) <= _YEARS):
        raise NotAcceptable(sentence("max_age is a number of seconds, ten years at most."))
    return Asked(
        username=given.get("username") or None,
        client=given.get("client") or None,
        scopes=tuple(dict.fromkeys(given.get("scope", "").split())),
        acr_values=tuple(dict.fromkeys(given.get("acr_values", "").split())),
        max_age=timedelta(seconds=int(age)) if age else None,
        prompts=_prompts(given.get("prompt", "")),
        signed_in_with=given.get("signed_in_with") or None,
        details=given.get("details") or None,
        site=given.get("site") or None,
    )


def _prompts(text: str) -> frozenset[Prompt]:
    try:
        return frozenset({Prompt(text)} if text else ())
    except ValueError:
        raise NotAcceptable(
            sentence("prompt is one of %(known)s, not %(value)s.", known=", ".join(Prompt), value=repr(text))
        ) from None


def _inputs(idp: Idp, given: Mapping[str, str]) -> Sequence[Input]:
    factors = [("", "–"), *((factor, factor) for factor in idp.policy.factors)]
    fields = [
        Input("username", mark("Username"), hint=mark("Empty: somebody with a phone and an app.")),
        Input(
            "client", mark("Application"), hint=mark("A name or a client id. Empty: one that may ask for everything.")
        ),
        Input("scope", mark("Scopes"), hint=mark("With a space between two. Empty: what a sign-in asks for.")),
        Input("acr_values", mark("Levels"), hint=mark("acr_values, with a space between two, the most wanted first.")),
        Input("max_age", mark("Oldest proof"), hint=mark("max_age, in seconds.")),
        Input(
            "prompt", mark("What it insists on"), hint=mark("prompt, as the application sends it."), options=_PROMPTS
        ),
        Input(
            "signed_in_with",
            mark("Signed in elsewhere with"),
            hint=mark("Ten minutes ago, with this factor."),
            options=factors,
        ),
    ]
    if idp.policy.sites:
        hint = mark("One behind a proxy. It says who asks, and for what.")
        fields.append(Input("site", mark("Address of a site"), hint=hint))
    if idp.policy.details:
        hint = mark("What is to be approved: authorization_details, as JSON.")
        fields.append(Input("details", mark("Details"), hint=hint, kind="textarea", rows=8))
    return [replace(one, value=given.get(one.name, "")) for one in fields]


def _sections(given: Mapping[str, str], tried: Tried) -> Iterator[Section]:
    """What comes of it, the answer first."""
    walked = tried.walked
    yield Section(
        mark("What comes of it"),
        facts=(
            Fact(mark("Person"), (Cell(given.get("username", "")),)),
            Fact(mark("Application"), (Cell(tried.client.name),)),
            Fact(mark("Scopes"), (Cell(" ".join(tried.scopes)),)),
            Fact(mark("Granted"), (_whether(walked.granted),)),
            Fact(mark("Answer"), (Cell(walked.answer),)),
        ),
    )
    yield Section(
        mark("What they would be asked"),
        columns=(mark("Question"), mark("What they do")),
        rows=[(Cell(step.asked), Cell(step.answered)) for step in walked.steps],
    )
    if tried.left_out:
        yield Section(
            mark("What has no part in it"),
            columns=(mark("Asked for"), mark("Why")),
            rows=[(Cell(asked), Cell(why)) for asked, why in tried.left_out.items()],
        )
    if (told := tried.told) is not None:
        yield _claims(mark("The access token would say"), told.access_token)
        if told.id_token is not None:
            yield _claims(mark("The ID token would say"), told.id_token)
        if told.userinfo is not None:
            yield _claims(mark("Userinfo would answer"), told.userinfo)
        if told.refreshed:
            carried = (Fact(mark("Scopes"), (Cell(" ".join(told.refreshed)),)),)
            yield Section(mark("A refresh token would carry"), facts=carried)
    if walked.why:
        yield Section(
            mark("Why"),
            columns=(mark("Check"), mark("What it found")),
            rows=[(Cell(line.check), Cell(line.found)) for line in walked.why],
        )


def _whether(value: bool) -> Cell:  # noqa: FBT001 - what is shown
    return Cell(YES, badge="good", ours=True) if value else Cell(NO, badge="bad", ours=True)


def _claims(heading: str, claims: Mapping[str, Any]) -> Section:
    return Section(heading, text=json.dumps(claims, indent=2, ensure_ascii=False, default=str))
