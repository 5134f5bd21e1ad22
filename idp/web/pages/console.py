"""The pages of the administrators' console: lists, one thing, a change, the overview. What each shows, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from idp.catalogue import mark
from idp.web.pages.parts import Problem

YES, NO = mark("Yes"), mark("No")


@dataclass(frozen=True, slots=True)
class Link:
    """Somewhere to go; the label is one of our sentences. `first`: what most come to a list for."""

    label: str
    href: str
    here: bool = False
    grave: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page of the console has around it: who looks, and where they may go."""

    who: str
    role: str
    links: tuple[Link, ...]
    account: str
    sign_out: str
    now: datetime
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: somebody's words, or one of our own (`ours`), or a moment; both: until then. `badge` colours it."""

    text: str = ""
    href: str | None = None
    badge: str | None = None
    at: datetime | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list. `search` is what was looked for, None where there is no search; `count` how many match."""

    template: ClassVar[str] = "admin/listing.html"
    frame: Frame
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    here: str
    search: str | None = None
    hint: str = ""
    count: int | None = None
    following: str | None = None
    csv: str | None = None
    acts: Sequence[Link] = ()
    done: str = ""
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known, by one of our words."""

    term: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Section:
    """Facts, or a table, or a text as it is written, under one heading."""

    heading: str
    facts: Sequence[Fact] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Cell]] = ()
    text: str = ""
    acts: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form. `options` make it a choice; of a box `value` is "on" or nothing, and `ours` its label.

    Of `kind` "boxes" several options may be chosen, a line of `value` each. `rows` is the least height of a textarea.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    kind: str = "text"
    options: Sequence[tuple[str, str]] = ()
    required: bool = False
    ours: bool = True
    rows: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A form that asks for this page again, and changes nothing. `said` is why what was asked has no answer.

    `secret`: what is typed is nothing for an address.
    """

    action: str
    about: str
    button: str
    inputs: Sequence[Input]
    said: tuple[str, ...] = ()
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One thing with all that is known of it, and what can be done. `once` is a secret that is shown this once.

    `logo` is the address of its picture.
    """

    template: ClassVar[str] = "admin/detail.html"
    frame: Frame
    title: str
    back: Link
    ours: bool = False
    standing: Sequence[Cell] = ()
    sections: Sequence[Section] = ()
    acts: Sequence[Link] = ()
    query: Query | None = None
    logo: str | None = None
    done: str = ""
    once: str | None = field(default=None, repr=False)
    uri: str = field(default="", repr=False)
    codes: Sequence[str] = field(default=(), repr=False)
    consequences: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change as a form of its own: what it is, what follows, and a button. `wrong`: why it was not done, by field.

    `now` is what somebody else made of it meanwhile, where that is not what was typed. `never`: it is not to be done at
    all, so there is no form. `groups` are boxes under a heading of their own.
    """

    template: ClassVar[str] = "admin/edit.html"
    frame: Frame
    title: str
    about: str
    action: str
    back: str
    button: str
    consequences: Sequence[str] = ()
    follows: Sequence[str] = ()
    inputs: Sequence[Input] = ()
    groups: Sequence[Input] = ()
    never: bool = False
    version: str = ""
    made: str = field(default="", repr=False)
    now: Sequence[tuple[str, str]] = ()
    grave: bool = False
    wrong: Sequence[tuple[str, str]] = ()
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart, in its own units and as parts of a hundred; `named`: its label stands below it."""

    label: str
    value: int
    height: float
    at: float
    named: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Counts by hour or by country, as bars and as the table beside."""

    id: str
    title: str
    describes: str
    column: str
    bars: Sequence[Bar]
    width: float
    most: int
    total: int


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a check-up: how it is, what was looked at, what was found, and what to do."""

    state: Cell
    what: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """All that was looked at, what is wrong first. `whole`: others were asked, too; the button does that.

    `looking`: that goes on, and the page tells more when it is loaded again.
    """

    template: ClassVar[str] = "admin/checkup.html"
    frame: Frame
    back: Link
    action: str
    at: datetime | None
    whole: bool
    looking: bool
    troubles: Sequence[Check]
    rest: Sequence[Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The last 24 hours at one look; the hours of charts are those of UTC. `troubles`: what a check-up found wrong.

    `recoveries` wait for a second operator: the page of whom, their name, who asked, until when.
    Not `looked`: it has not ended so far.
    """

    template: ClassVar[str] = "admin/overview.html"
    frame: Frame
    hours: Sequence[Chart]
    countries: Sequence[Chart]
    money: Sequence[tuple[str, str, str, int]]
    waiting: int
    oldest: datetime | None
    checkup: str
    looked: bool = True
    troubles: Sequence[Check] = ()
    paused: Sequence[tuple[str, str, datetime]] = ()
    recoveries: Sequence[tuple[str, str, str, datetime]] = ()
    problems: tuple[Problem, ...] = ()
