"""What a page says of the authenticator apps that it asks: one that was enrolled elsewhere may show other codes."""

from collections.abc import Iterable

from idp.model import OUR_CODES, AppCodes, Authenticator, Factor
from idp.web.pages import Problem

_OF_SIX = {Problem.APP_CODE_MISSING, Problem.CODE_SHAPE}


def label(theirs: Iterable[Authenticator]) -> str | None:
    """What its owner calls the only one."""
    apps = _open(theirs)
    return apps[0].label or None if len(apps) == 1 else None


def codes(theirs: Iterable[Authenticator]) -> AppCodes | None:
    """How all of them make their codes; None where they differ."""
    ways = {each.codes for each in _open(theirs)}
    return None if len(ways) > 1 else next(iter(ways), OUR_CODES)


def worded(problems: Iterable[Problem], theirs: Iterable[Authenticator]) -> tuple[Problem, ...]:
    """No talk of six numbers where others are asked for."""
    shown = codes(theirs)
    if shown is not None and shown.digits == OUR_CODES.digits:
        return tuple(problems)
    return tuple(Problem.APP_CODE_ALL if each in _OF_SIX else each for each in problems)


def _open(theirs: Iterable[Authenticator]) -> list[Authenticator]:
    return [each for each in theirs if each.factor is Factor.TOTP and each.closed_at is None]
