"""The pages on which an application is described: its form, what would follow, the kinds of applications."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from idp.web.pages.console import Cell, Frame, Input, Link


@dataclass(frozen=True, slots=True)
class Fieldset:
    """Some fields of a form under one heading. Of boxes `Input.value` has the ticked ones, a line each."""

    heading: str
    inputs: Sequence[Input]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientForm:
    """An application, described. `wrong` has every mistake by its field; `now` what somebody else made of it meanwhile.

    `prove` is where the proof is made for which this came too late; `hidden` goes with what is typed.
    """

    template: ClassVar[str] = "admin/client_form.html"
    frame: Frame
    title: str
    about: str
    action: str
    back: Link
    button: str
    fieldsets: Sequence[Fieldset]
    hidden: Sequence[tuple[str, str]] = field(default=(), repr=False)
    wrong: Sequence[tuple[str, str]] = ()
    now: Sequence[tuple[str, Sequence[Cell]]] = ()
    waiting: bool = False
    prove: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What a change would be and what would follow. `changes`: each field by its label, before and after."""

    template: ClassVar[str] = "admin/consequences.html"
    frame: Frame
    title: str
    about: str
    action: str
    changes: Sequence[tuple[str, Sequence[Cell], Sequence[Cell]]]
    follows: Sequence[str]
    hidden: Sequence[tuple[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """What kind of application is registered; each with what it is for."""

    template: ClassVar[str] = "admin/client_kinds.html"
    frame: Frame
    back: Link
    kinds: Sequence[tuple[Link, str]]
