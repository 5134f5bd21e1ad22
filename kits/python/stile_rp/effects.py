"""What the kit asks of the world, as values; and the two ways to carry it out, blocking and awaiting. No protocol.

A function of the kit that needs the network is a generator: it yields an effect and is sent what came of it.
"""

import asyncio
import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, Protocol, TypeAlias, TypeVar, assert_never

import httpx

from stile_rp.errors import ProviderUnavailable


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the provider."""

    method: str
    url: str
    form: Mapping[str, str] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider said."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Alone:
    """From here, until this is over, nobody else of this object is between two of these."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Remember `value` under `key`. With `new`: True for exactly one of all who keep this key."""

    key: str
    value: str
    until: float
    new: bool = False


@dataclass(frozen=True, slots=True)
class Recall:
    """What is remembered under `key`, or None."""

    key: str


Effect: TypeAlias = Ask | Alone | Keep | Recall
T = TypeVar("T")
P = ParamSpec("P")
Steps: TypeAlias = Generator[Effect, Any, T]


class Memory(Protocol):
    """Where is remembered what was used once, and who signed out elsewhere. Yours, when several processes share it.

    `until` is in seconds since 1970; afterwards the key may be forgotten. Methods may be coroutines where the kit is
    awaited.
    """

    def keep(self, key: str, value: str, *, until: float, new: bool) -> bool | Awaitable[bool]:
        """Remember. With `new`, False and no change when the key is there: one `INSERT … ON CONFLICT DO NOTHING`."""
        ...

    def recall(self, key: str) -> str | Awaitable[str | None] | None:
        """What is remembered."""
        ...


class ProcessMemory:
    """Remembers in this process alone: right for one process, and for trying things out."""

    SWEEP = 1000  # keys, between two looks for what is over

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[str, float]] = {}
        self._sweep_at = self.SWEEP

    def keep(self, key: str, value: str, *, until: float, new: bool) -> bool:
        """Remember."""
        now = self._clock()
        with self._lock:
            if new and key in self._kept and self._kept[key][1] > now:
                return False
            self._kept[key] = (value, until)
            if len(self._kept) >= self._sweep_at:
                self._kept = {name: kept for name, kept in self._kept.items() if kept[1] > now}
                self._sweep_at = 2 * len(self._kept) + self.SWEEP
            return True

    def recall(self, key: str) -> str | None:
        """What is remembered."""
        kept = self._kept.get(key)
        return kept[0] if kept is not None and kept[1] > self._clock() else None


class Blocking:
    """Carries steps out and waits for each. Safe to share between threads."""

    def __init__(self, memory: Memory, http: Callable[[], httpx.Client]) -> None:
        self._memory = memory
        self._open = functools.cache(http)
        self._lock = threading.Lock()

    @property
    def http(self) -> httpx.Client:
        """The connections to the provider."""
        return self._open()

    def run(self, steps: Steps[T]) -> T:
        """What comes of these steps."""
        answer: object = None
        error: ProviderUnavailable | None = None
        held = False
        try:
            while True:
                effect = steps.send(answer) if error is None else steps.throw(error)
                answer, error = None, None
                match effect:
                    case Ask():
                        try:
                            answer = _reply(self.http.send(request_of(self.http, effect)))
                        except (httpx.HTTPError, httpx.InvalidURL) as broken:
                            error = _no_answer(effect, broken)
                    case Alone():
                        held = held or self._lock.acquire()
                    case Keep():
                        kept = self._memory.keep(effect.key, effect.value, until=effect.until, new=effect.new)
                        answer = _now(kept)
                    case Recall():
                        answer = _now(self._memory.recall(effect.key))
                    case _:
                        assert_never(effect)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            if held:
                self._lock.release()


class Awaiting:
    """Carries steps out in an event loop. Safe to share between the tasks of one loop."""

    def __init__(self, memory: Memory, http: Callable[[], httpx.AsyncClient]) -> None:
        self._memory = memory
        self._open = functools.cache(http)
        self._lock = asyncio.Lock()

    @property
    def http(self) -> httpx.AsyncClient:
        """The connections to the provider."""
        return self._open()

    async def run(self, steps: Steps[T]) -> T:
        """What comes of these steps."""
        answer: object = None
        error: ProviderUnavailable | None = None
        held = False
        try:
            while True:
                effect = steps.send(answer) if error is None else steps.throw(error)
                answer, error = None, None
                match effect:
                    case Ask():
                        try:
                            answer = _reply(await self.http.send(request_of(self.http, effect)))
                        except (httpx.HTTPError, httpx.InvalidURL) as broken:
                            error = _no_answer(effect, broken)
                    case Alone():
                        held = held or await self._lock.acquire()
                    case Keep():
                        kept = self._memory.keep(effect.key, effect.value, until=effect.until, new=effect.new)
                        answer = await kept if inspect.isawaitable(kept) else kept
                    case Recall():
                        recalled = self._memory.recall(effect.key)
                        answer = await recalled if inspect.isawaitable(recalled) else recalled
                    case _:
                        assert_never(effect)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            if held:
                self._lock.release()


def blocking(steps: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate[Any, P], T]:
    """The method that carries out these steps of `self.steps`, in `self.world`, and waits."""

    @functools.wraps(steps)
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:  # noqa: ANN401 - any class that has both
        result: T = self.world.run(steps(self.steps, *args, **kwargs))
        return result

    return method


def awaiting(steps: Callable[Concatenate[Any, P], Steps[T]]) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """The method that carries out these steps of `self.steps`, in `self.world`, to be awaited."""

    @functools.wraps(steps)
    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:  # noqa: ANN401 - any class that has both
        result: T = await self.world.run(steps(self.steps, *args, **kwargs))
        return result

    return method


def request_of(http: httpx.Client | httpx.AsyncClient, ask: Ask) -> httpx.Request:
    """The same, as httpx sends it."""
    headers = {"accept": "application/json", **ask.headers}
    return http.build_request(ask.method, ask.url, data=ask.form, headers=headers)


def _reply(answer: httpx.Response) -> Reply:
    return Reply(answer.status_code, answer.content, answer.headers)


def _no_answer(ask: Ask, broken: Exception) -> ProviderUnavailable:
    where = httpx.URL(ask.url).copy_with(query=None, userinfo=None) if "://" in ask.url else "the provider"
    kind = type(broken).__name__
    return ProviderUnavailable(f"{where} did not answer ({kind}): is it running, and can this machine reach it?")


def _now(value: T | Awaitable[T]) -> T:
    if inspect.isawaitable(value):
        raise TypeError("this memory is asynchronous: give it to a kit that is awaited, or make its methods plain")
    return value
