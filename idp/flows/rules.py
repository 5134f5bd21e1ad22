"""The two files an operator rules by, read together: who must prove what, and what may be spent on messages."""

from idp.errors import SettingsError
from idp.model import Factor
from idp.policy import Policy, default_policy, load_policy
from idp.settings import Settings
from idp.spending import Spending, read_spending


def read_rules(settings: Settings) -> tuple[Policy, Spending]:
    """The operator's, or ours where there is no file. Raises `SettingsError` with every mistake in either."""
    policy: Policy | None = None
    spending: Spending | None = None
    problems: list[str] = []
    try:
        policy = read_policy(settings)
    except SettingsError as error:
        problems += error.problems
    try:
        spending = read_spending(settings)
    except SettingsError as error:
        problems += error.problems
    if policy is None or spending is None:
        raise SettingsError(problems)
    return policy, spending


def read_policy(settings: Settings) -> Policy:
    """The operator's policy, or ours. Raises `SettingsError` with every mistake in the file."""
    if settings.policy is None:
        return default_policy()
    try:
        policy = load_policy(settings.policy.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"IDP_POLICY cannot be read ({type(error).__name__})"]) from None
    except SettingsError as error:
        raise SettingsError([f"{settings.policy}: {problem}" for problem in error.problems]) from None
    if Factor.EMAIL in policy.factors and settings.smtp_url is None:
        raise SettingsError([f"{settings.policy}: factors.email needs IDP_SMTP_URL: nothing here sends mail"])
    if policy.registration.open and settings.smtp_url is None:
        raise SettingsError([f"{settings.policy}: registration.open needs IDP_SMTP_URL: nothing here sends mail"])
    return policy
