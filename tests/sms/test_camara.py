"""Asking an operator about a SIM over real HTTP: a clear answer counts, and everything else is doubt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from idp.errors import SettingsError
from idp.model import Swap
from idp.settings import read_settings
from idp.sms import camara
from idp.sms.intel import TOTAL, NumberIntel, ask, open_intel, registered
from idp.sms.wire import new_client
from idp.testing import FrozenClock
from idp.testing.camara import TOKEN, FakeIntel, Sim, number_of
from idp.testing.http import Request, Response, served
from idp.testing.provider import FakeProvider, Pace, fake_provider
from tests.world.waiting import NEVER

AGE = timedelta(hours=72)
HOUR = timedelta(hours=1)
PATIENT = timedelta(seconds=NEVER)
GOOD = f'{{"access_token": "{TOKEN}", "token_type": "Bearer"}}'


class Asking:
    """The adapter as an operator's settings make it, and the fake that it asks."""

    def __init__(self, provider: FakeProvider, intel: NumberIntel, clock: FrozenClock) -> None:
        self.provider = provider
        self.operator = provider.operator
        self.intel = intel
        self.clock = clock

    async def about(self, sim: Sim = Sim.SAME, age: timedelta = AGE) -> Swap:
        return await self.intel.check(number_of(sim), age)


@asynccontextmanager
async def asking(patience: timedelta = PATIENT, /, **changes: str | None) -> AsyncIterator[Asking]:
    """`changes` are settings; None takes one away."""
    clock = FrozenClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(camara, "TOTAL", patience)
        async with fake_provider(pace=Pace(slow=timedelta(seconds=30))) as provider, new_client() as client:
            given = {name: value for name, value in (provider.intel_settings() | changes).items() if value is not None}
            intel = open_intel(read_settings(given), client=client, clock=clock)
            assert intel is not None
            yield Asking(provider, intel, clock)


def fixed(token: str = TOKEN) -> dict[str, str | None]:
    """A token that does not change, in place of a client."""
    gone = dict.fromkeys(("IDP_CAMARA_CLIENT_ID", "IDP_CAMARA_CLIENT_SECRET", "IDP_CAMARA_TOKEN_URL"))
    return {"IDP_CAMARA_TOKEN": token, **gone}


def test_it_is_registered_as_others_would_be() -> None:
    assert registered()["camara"].value == "idp.sms.camara:create"


@pytest.mark.parametrize(
    ("sim", "verdict"),
    [(sim, {Sim.SAME: Swap.NOT_SWAPPED, Sim.SWAPPED: Swap.SWAPPED}.get(sim, Swap.UNKNOWN)) for sim in Sim],
    ids=[sim.name for sim in Sim],
)
async def test_yes_and_no_are_believed_and_everything_else_is_unknown(sim: Sim, verdict: Swap) -> None:
    async with asking(TOTAL if sim is Sim.SLOW else PATIENT) as asked:
        assert await asked.about(sim) is verdict
        assert asked.operator.asked == [(number_of(sim), 72)]


async def test_token_and_answer_have_two_seconds_together() -> None:
    async def slowly(request: Request) -> Response:
        await asyncio.sleep(1.2)
        answer = '{"swapped": false}' if request.path.endswith("/check") else GOOD
        return Response(200, answer.encode())

    async with served(slowly) as url, asking(TOTAL, IDP_CAMARA_TOKEN_URL=url, IDP_CAMARA_URL=url) as asked:
        assert await asked.about() is Swap.UNKNOWN


async def test_a_redirect_is_never_followed_as_it_would_carry_number_and_token_away() -> None:
    came: list[str] = []

    async def elsewhere(request: Request) -> Response:
        came.append(request.path)
        return Response(200, b'{"swapped": false}')

    async with asking() as asked, served(elsewhere) as url:
        asked.operator.elsewhere = url
        assert await asked.about(Sim.REDIRECT) is Swap.UNKNOWN
        assert not came


@pytest.mark.parametrize("status", [202, 203, 304, 400, 403, 429, 500, 503])
async def test_words_under_another_status_are_not_believed(status: int) -> None:
    async def says(request: Request) -> Response:
        return Response(status, b'{"swapped": false}')

    async with served(says) as url, asking(**fixed(), IDP_CAMARA_URL=url) as asked:
        assert await asked.about() is Swap.UNKNOWN


async def test_a_part_of_an_hour_is_asked_as_a_whole_one() -> None:
    async with asking() as asked:
        await asked.about(age=timedelta(minutes=61))
        assert [hours for _, hours in asked.operator.asked] == [2]


async def test_one_token_serves_many_questions_until_it_is_about_to_expire() -> None:
    async with asking() as asked:
        verdicts = await asyncio.gather(*(asked.about() for _ in range(5)))
        assert verdicts == [Swap.NOT_SWAPPED] * 5
        assert asked.operator.fetched == 1
        asked.clock.move(timedelta(seconds=3569))
        await asked.about()
        assert asked.operator.fetched == 1
        asked.clock.move(timedelta(seconds=1))
        await asked.about()
        assert asked.operator.fetched == 2


async def test_a_token_that_was_revoked_is_replaced_once() -> None:
    async with asking() as asked:
        await asked.about()
        asked.operator.tokens.clear()
        assert await asked.about() is Swap.NOT_SWAPPED
        assert asked.operator.fetched == 2


async def test_a_token_that_never_works_is_not_asked_for_again_and_again() -> None:
    class Forgetful(set[str]):
        def add(self, element: str) -> None:
            """Every token is refused."""

    async with asking() as asked:
        asked.operator.tokens = Forgetful()
        assert await asked.about() is Swap.UNKNOWN
        assert asked.operator.fetched == 2
        assert not asked.operator.asked


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"IDP_CAMARA_CLIENT_SECRET": "sesame"}, id="wrong secret"),
        pytest.param({"IDP_CAMARA_CLIENT_ID": "sesame"}, id="wrong client"),
        pytest.param({"IDP_CAMARA_SCOPE": "other"}, id="wrong scope"),
        pytest.param(fixed("sesame"), id="wrong token"),
        pytest.param({"IDP_CAMARA_TOKEN_URL": "http://127.0.0.1:9/token"}, id="nobody gives tokens"),
        pytest.param({"IDP_CAMARA_URL": "http://127.0.0.1:9/sim-swap/v1"}, id="nobody answers"),
    ],
)
async def test_whoever_may_not_ask_knows_nothing(
    changes: dict[str, str | None], capsys: pytest.CaptureFixture[str]
) -> None:
    async with asking(**changes) as asked:
        assert await asked.about() is Swap.UNKNOWN
        assert not asked.operator.asked
        assert "sesame" not in repr(asked.intel)
    said = capsys.readouterr()
    assert "sesame" not in said.out + said.err


async def test_a_token_that_does_not_change_needs_no_client() -> None:
    async with asking(**fixed()) as asked:
        assert await asked.about() is Swap.NOT_SWAPPED
        assert asked.operator.fetched == 0
        assert TOKEN not in repr(asked.intel)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"not JSON",
        b'{"access_token": 5, "token_type": "Bearer"}',
        b'{"access_token": "a b", "token_type": "Bearer"}',
        b'{"access_token": "abc\\n", "token_type": "Bearer"}',
        '{"access_token": "ü", "token_type": "Bearer"}'.encode(),
        b'{"access_token": "abc", "token_type": "mac"}',
        b'{"access_token": "abc"}',
    ],
)
async def test_what_is_no_bearer_token_is_not_sent_as_one(body: bytes) -> None:
    async def gives(request: Request) -> Response:
        return Response(200, body)

    async with served(gives) as url, asking(IDP_CAMARA_TOKEN_URL=url) as asked:
        assert await asked.about() is Swap.UNKNOWN
        assert not asked.operator.asked


@pytest.mark.parametrize(
    ("expires_in", "kept"),
    [("null", 59), ('"3600"', 59), ("true", 59), ("-5", 59), ("1e400", 59), ("1" + "0" * 30, 86_369), ("20", 0)],
)
async def test_a_token_is_kept_no_longer_than_a_day_and_a_minute_where_nothing_is_said(
    expires_in: str, kept: int
) -> None:
    fetched: list[str] = []

    async def gives(request: Request) -> Response:
        fetched.append(request.path)
        return Response(
            200, f'{{"access_token": "{TOKEN}", "token_type": "Bearer", "expires_in": {expires_in}}}'.encode()
        )

    async with served(gives) as url, asking(IDP_CAMARA_TOKEN_URL=url) as asked:
        assert await asked.about() is Swap.NOT_SWAPPED
        asked.clock.move(timedelta(seconds=kept))
        await asked.about()
        assert len(fetched) == (1 if kept else 2)
        asked.clock.move(timedelta(seconds=1))
        await asked.about()
        assert len(fetched) == (2 if kept else 3)


class Raising(FakeIntel):
    async def check(self, number: str, max_age: timedelta) -> Swap:
        raise RuntimeError(number, max_age)


class Sleeping(FakeIntel):
    async def check(self, number: str, max_age: timedelta) -> Swap:
        await asyncio.Event().wait()
        return await super().check(number, max_age)


@pytest.mark.parametrize(("broken", "how"), [(Raising(), "RuntimeError"), (Sleeping(), None)], ids=["raises", "sleeps"])
async def test_a_plug_in_that_breaks_its_contract_knows_nothing(broken: FakeIntel, how: str | None) -> None:
    assert await ask(broken, number_of(Sim.SAME), AGE) == (Swap.UNKNOWN, how)


# --- settings

CLIENT = {
    "IDP_NUMBER_INTEL": "camara",
    "IDP_CAMARA_URL": "https://api.example.com/sim-swap/v1/",
    "IDP_CAMARA_CLIENT_ID": "stile",
    "IDP_CAMARA_CLIENT_SECRET": "sesame",
    "IDP_CAMARA_TOKEN_URL": "https://api.example.com/token",
}


def wrong(**changes: str | None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings({name: value for name, value in (CLIENT | changes).items() if value is not None})
    assert "sesame" not in str(caught.value)
    return caught.value.problems


def test_nobody_is_asked_unless_somebody_is_named() -> None:
    assert read_settings({}).number_intel is None
    assert read_settings({"IDP_NUMBER_INTEL": "none"}).number_intel is None
    assert open_intel(read_settings({}), client=httpx.AsyncClient(), clock=FrozenClock()) is None


@pytest.mark.parametrize("name", [name for name in CLIENT if name != "IDP_NUMBER_INTEL"])
def test_what_is_missing_is_named(name: str) -> None:
    assert wrong(**{name: None}) == [f"{name} is missing: IDP_NUMBER_INTEL=camara needs it"]


def test_without_any_credentials_both_ways_to_get_a_token_are_named() -> None:
    (told,) = wrong(**dict.fromkeys(list(CLIENT)[2:]))
    assert told.startswith("IDP_CAMARA_CLIENT_ID, IDP_CAMARA_CLIENT_SECRET and IDP_CAMARA_TOKEN_URL are missing: ")
    assert told.endswith(", or IDP_CAMARA_TOKEN alone")


def test_two_ways_to_get_a_token_are_one_too_many() -> None:
    (problem,) = wrong(IDP_CAMARA_TOKEN="sesame")
    assert "keep one" in problem


@pytest.mark.parametrize(
    "url", ["http://api.example.com/v1", "api.example.com", "ftp://x/", "https://", "https://x/#y"]
)
@pytest.mark.parametrize("name", ["IDP_CAMARA_URL", "IDP_CAMARA_TOKEN_URL"])
def test_numbers_and_tokens_go_to_https_urls_only(name: str, url: str) -> None:
    (problem,) = wrong(**{name: url})
    assert problem.startswith(f"{name} must be ")


def test_a_token_is_one_visible_word() -> None:
    gone = dict.fromkeys(("IDP_CAMARA_CLIENT_ID", "IDP_CAMARA_CLIENT_SECRET", "IDP_CAMARA_TOKEN_URL"))
    (problem,) = wrong(IDP_CAMARA_TOKEN="ses ame", **gone)
    assert problem.startswith("IDP_CAMARA_TOKEN must be one word")


@pytest.mark.parametrize(
    ("typed", "age"), [("1h", HOUR), ("3d", 72 * HOUR), ("2400h", 2400 * HOUR), ("100d", 2400 * HOUR)]
)
def test_an_age_is_hours_or_days(typed: str, age: timedelta) -> None:
    assert read_settings({"IDP_SIM_SWAP_AGE": typed}).sim_swap_age == age


@pytest.mark.parametrize("typed", ["0h", "2401h", "101d", "72", "3600s", "-1h", "1.5h", "٣h", "72 h", "99999h"])
def test_an_age_is_one_that_camara_knows(typed: str) -> None:
    (problem,) = wrong(IDP_SIM_SWAP_AGE=typed)
    assert problem == "IDP_SIM_SWAP_AGE must be hours or days from 1h to 2400h, as in 72h or 3d"


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    settings = read_settings({"IDP_NUMBER_INTEL": "oracle"})
    with pytest.raises(SettingsError, match=r"'oracle' is not installed \(there are: camara\)"):
        open_intel(settings, client=httpx.AsyncClient(), clock=FrozenClock())
