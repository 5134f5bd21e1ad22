"""Starting what an entry point names. What is installed is looked up where it is known: in `sms` and `sms.intel`."""

from collections.abc import Callable
from importlib.metadata import EntryPoint
from typing import Any, TypeVar

from idp.errors import SettingsError, places

T = TypeVar("T")


def start(entry: EntryPoint, variable: str, make: Callable[[Any], T]) -> T:
    """What `make` gets from the factory. `SettingsError` if somebody else's breaks: most often it misses a setting."""
    if entry.value.startswith("idp."):
        return make(entry.load())
    try:
        return make(entry.load())
    except SettingsError:
        raise
    except Exception as error:  # noqa: BLE001 - somebody else's plug-in; its text may hold a secret, its place does not
        where = [place for place in places(error.__traceback__) if not place.startswith("<")][-1]
        found = f"{variable}: {entry.name!r} does not start ({type(error).__name__} at {where})"
        raise SettingsError([f"{found}: is everything set that it needs?"]) from None
