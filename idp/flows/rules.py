"""The two files an operator rules by, read together: who must prove what, and what may be spent on messages."""

from urllib.parse import urlsplit

from idp.errors import SettingsError
from idp.model import Factor
from idp.policy import Policy, default_policy, load_policy
from idp.sentences import as_it_is, located, sentence
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
        return policy_here(settings.policy.read_text(encoding="utf-8"), settings)
    except (OSError, UnicodeDecodeError) as error:
        raise unread(error) from None
    except SettingsError as error:
        raise SettingsError([located(str(settings.policy), as_it_is(each)) for each in error.problems]) from None


def unread(error: Exception) -> SettingsError:
    """That the file cannot be read."""
    return SettingsError([sentence("IDP_POLICY cannot be read (%(error)s)", error=type(error).__name__)])


def policy_here(text: str, settings: Settings) -> Policy:
    """The policy that this text describes, for a provider with these settings. Raises `SettingsError`."""
    policy = load_policy(text)
    if settings.smtp_url is None:
        for row, wanted in (
            ("factors.email", Factor.EMAIL in policy.factors),
            ("registration.open", policy.registration.open),
        ):
            if wanted:
                raise SettingsError([sentence("%(row)s needs IDP_SMTP_URL: nothing here sends mail", row=row)])
    ours = urlsplit(settings.issuer).hostname
    # On this machine all ports are one host to cookies, and there is nothing to be seen.
    shared = [host for host in policy.sites if settings.secure and host.partition(":")[0] == ours]
    why = sentence("is the host of IDP_ISSUER: an application there would be sent Stile's own cookies")
    if shared:
        raise SettingsError([located(f"sites.{host}", why) for host in shared])
    return policy
