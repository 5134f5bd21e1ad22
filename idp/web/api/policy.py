"""The policy and the signing keys by the API: shown, tried, explained, rotated."""

from datetime import timedelta
from typing import Annotated, Any

import msgspec

from idp.flows.operate.keys import Key, list_keys, rotate_keys
from idp.flows.operate.policies import LONGEST, PolicyText, policy_text, try_policy
from idp.flows.operate.trying import Asked as Question
from idp.flows.operate.trying import try_sign_in
from idp.model import Prompt
from idp.policy import Act
from idp.web.api.endpoints import Asked, Body, Done, Endpoint, Text, Words

_TEN_YEARS = 315_360_000


class Written(Body, frozen=True, kw_only=True):
    """A policy to try."""

    policy: Annotated[str, msgspec.Meta(max_length=LONGEST, description="The text of a policy file (TOML).")]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A row that says something else."""

    row: str
    before: str
    after: str


class TriedText(msgspec.Struct, frozen=True, kw_only=True):
    """What a text would change. With `problems`, every mistake in it, nothing else is known."""

    problems: list[str]
    rows: list[Row]
    consequences: list[str]


class Request(Body, frozen=True, kw_only=True):
    """What is explained. Nobody named: somebody with a phone and an app, and a client that may ask for everything."""

    username: Text | None = None
    client: Annotated[str, msgspec.Meta(max_length=200, description="Name or id.")] | None = None
    scopes: Words = msgspec.field(default_factory=list)
    acr_values: Words = msgspec.field(default_factory=list)
    max_age: Annotated[int, msgspec.Meta(ge=0, le=_TEN_YEARS, description="Seconds.")] | None = None
    signed_in_with: (
        Annotated[str, msgspec.Meta(max_length=40, description="A factor, used elsewhere ten minutes ago.")] | None
    ) = None
    details: (
        Annotated[str, msgspec.Meta(max_length=20_000, description="authorization_details, as JSON text.")] | None
    ) = None
    prompts: Annotated[list[Prompt], msgspec.Meta(max_length=4)] = msgspec.field(default_factory=list)
    site: Annotated[str, msgspec.Meta(max_length=2000, description="Opened at a site behind a proxy.")] | None = None


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the person, and what they answer."""

    asked: str
    answered: str


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the request that has no part in the decision."""

    asked: str
    why: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check of the decision."""

    check: str
    found: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody would be asked, and what comes of it; the claims of tokens, null where there would be none.

    `refreshed` are the scopes that a refresh token would carry.
    """

    granted: bool
    answer: str
    steps: list[Answered]
    left_out: list[LeftOut]
    checks: list[Check]
    access_token: dict[str, Any] | None
    id_token: dict[str, Any] | None
    userinfo: dict[str, Any] | None
    refreshed: list[str]


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The signing keys."""

    keys: list[Key]


class Rotation(Body, frozen=True, kw_only=True):
    """`now`: even if applications may not know the next keys yet, because a key got out."""

    now: bool = False


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that sign from now on."""

    current: list[str]


async def _show(asked: Asked) -> Done:
    return Done(await policy_text(asked.idp))


async def _try(asked: Asked) -> Done:
    written: Written = asked.body
    tried = await try_policy(asked.idp, written.policy)
    rows = [Row(row=row, before=before, after=after) for row, before, after in tried.rows]
    return Done(TriedText(problems=list(tried.problems), rows=rows, consequences=list(tried.consequences)))


async def _explain(asked: Asked) -> Done:
    request: Request = asked.body
    question = Question(
        username=request.username,
        client=request.client,
        scopes=tuple(request.scopes),
        acr_values=tuple(request.acr_values),
        max_age=None if request.max_age is None else timedelta(seconds=request.max_age),
        signed_in_with=request.signed_in_with,
        prompts=frozenset(request.prompts),
        details=request.details,
        site=request.site,
    )
    tried = await try_sign_in(asked.idp, question)
    told = tried.told
    return Done(
        Decision(
            granted=tried.walked.granted,
            answer=tried.walked.answer,
            steps=[Answered(asked=step.asked, answered=step.answered) for step in tried.walked.steps],
            left_out=[LeftOut(asked=what, why=why) for what, why in tried.left_out.items()],
            checks=[Check(check=line.check, found=line.found) for line in tried.walked.why],
            access_token=None if told is None else dict(told.access_token),
            id_token=None if told is None or told.id_token is None else dict(told.id_token),
            userinfo=None if told is None or told.userinfo is None else dict(told.userinfo),
            refreshed=[] if told is None else list(told.refreshed),
        )
    )


async def _keys(asked: Asked) -> Done:
    return Done(Keys(keys=await list_keys(asked.idp)))


async def _rotate(asked: Asked) -> Done:
    rotation: Rotation = asked.body
    return Done(Rotated(current=await rotate_keys(asked.idp, early=rotation.now)))


_SEE = Act.SEE_POLICY

ENDPOINTS = (
    Endpoint("GET", "/policy", "show_policy", _SEE, _show, "The policy as it is written", answers=PolicyText),
    Endpoint(
        "POST",
        "/policy/try",
        "try_policy",
        _SEE,
        _try,
        "What another policy would change here",
        "Its mistakes, or its rows that differ and what follows for people and applications; of these nothing is told"
        " without stile:clients:read. Nothing is stored.",
        takes=Written,
        answers=TriedText,
    ),
    Endpoint(
        "POST",
        "/policy/explain",
        "explain_decision",
        _SEE,
        _explain,
        "What somebody would be asked, and why",
        "Nobody is signed in and nothing is stored. To name a person takes stile:people:read, too, and to name an"
        " application stile:clients:read.",
        takes=Request,
        answers=Decision,
    ),
    Endpoint("GET", "/keys", "list_keys", _SEE, _keys, "The signing keys", answers=Keys),
    Endpoint(
        "POST",
        "/keys/rotate",
        "rotate_keys",
        Act.CHANGE_KEYS,
        _rotate,
        "Sign with the next keys from now on",
        "The old ones verify for two days. Less than a day after the last rotation nothing is done without `now`.",
        takes=Rotation,
        answers=Rotated,
    ),
)
