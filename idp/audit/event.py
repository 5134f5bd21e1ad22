"""What every audit event is: a stable name, and fields that are JSON values. Pure."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events: `name` is stable, the fields are JSON values."""

    name: ClassVar[str]

    def fields(self) -> dict[str, Any]:
        """The fields as a JSON object, without those that are None."""
        named = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in named if value is not None}
