"""What is said of an answer to each factor that cannot be right, or is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

from idp.model import Factor
from idp.web.pages import Problem


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a factor: nothing was typed, it cannot be an answer, it is wrong."""

    missing: Problem
    malformed: Problem
    wrong: Problem


def _words(factor: Factor) -> Words:
    match factor:
        case Factor.PASSWORD:
            return Words(Problem.PASSWORD_MISSING, Problem.SIGN_IN_WRONG, Problem.SIGN_IN_WRONG)
        case Factor.SMS:
            return Words(Problem.SMS_CODE_MISSING, Problem.CODE_SHAPE, Problem.CODE_WRONG)
        case Factor.EMAIL:
            return Words(Problem.EMAIL_CODE_MISSING, Problem.CODE_SHAPE, Problem.CODE_WRONG)
        case Factor.TOTP:
            return Words(Problem.APP_CODE_MISSING, Problem.CODE_SHAPE, Problem.CODE_WRONG)
        case Factor.PASSKEY:
            return Words(Problem.PASSKEY_MISSING, Problem.PASSKEY_WRONG, Problem.PASSKEY_WRONG)
        case Factor.RECOVERY:
            wrong = Problem.RECOVERY_WRONG
            return Words(Problem.RECOVERY_MISSING, wrong, wrong)
        case _:
            assert_never(factor)


WORDS: Mapping[str, Words] = MappingProxyType({factor: _words(factor) for factor in Factor})
