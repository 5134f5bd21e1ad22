"""The page of what a person says of themselves. What it shows, nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from idp.web.pages.parts import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Posts the `fields`, by the names of their claims (OIDC Core 5.1), to `action`.

    `zones` are names of the IANA database, by region; `languages` what is offered, each with its own name.
    """

    template: ClassVar[str] = "profile.html"
    action: str
    back: str
    fields: Mapping[str, str]
    zones: Mapping[str, Sequence[str]] = field(default_factory=dict)
    languages: Sequence[tuple[str, str]] = ()
    problems: tuple[Problem, ...] = ()
