"""What `idp doctor` says, by the API."""

from datetime import datetime
from typing import Literal

import msgspec

from idp.flows.operate.checkup import checkup
from idp.policy import Act
from idp.web.api.endpoints import Asked, Done, Endpoint


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, how it is, what was found, and what to do about it."""

    what: str
    state: Literal["ok", "warn", "fail"]
    found: str
    advice: str


class CheckupShown(msgspec.Struct, frozen=True, kw_only=True):
    """What this process found, and when; null: nothing yet. `whole`: others were asked, too. `looking`: it goes on."""

    at: datetime | None
    whole: bool
    looking: bool
    findings: list[Found]


async def _at_hand(asked: Asked) -> Done:
    return await _look(asked, ask=False)


async def _all(asked: Asked) -> Done:
    return await _look(asked, ask=True)


async def _look(asked: Asked, *, ask: bool) -> Done:
    seen = await checkup(asked.idp, ask=ask)
    findings = [
        msgspec.convert(
            {"what": one.what, "state": one.state.lower(), "found": str(one.found), "advice": str(one.advice)}, Found
        )
        for one in seen.findings
    ]
    return Done(CheckupShown(at=seen.at, whole=seen.whole, looking=seen.looking, findings=findings))


_PATH, _ACT = "/checkup", Act.SEE_POLICY

ENDPOINTS = (
    Endpoint(
        "GET",
        _PATH,
        "show_checkup",
        _ACT,
        _at_hand,
        "What a check-up finds",
        "Looked at once a minute at most, whoever asks.",
        answers=CheckupShown,
    ),
    Endpoint(
        "POST",
        _PATH,
        "make_checkup",
        _ACT,
        _all,
        "What a check-up finds, others asked, too",
        "DNS about mail, and the provider's own addresses. Nothing changes.",
        answers=CheckupShown,
    ),
)
