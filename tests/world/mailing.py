"""What the tests of codes by e-mail share. Nothing here is a test."""

import re

from idp.model.mail import read_mail_server
from idp.policy import load_policy
from idp.sms import Channel, Message
from tests.world.policies import OURS
from tests.world.provider import Provider

ALLOWED = OURS.replace('# email  = "two_factor"', 'email  = "two_factor"')
# A scope that needs two factors and a fresh proof, which ours has only for our own pages.
LETTERS = '"letters:read" = { level = "two_factor", fresh = "5m" }'
POLICY = load_policy(ALLOWED.replace("[scopes]\n", f"[scopes]\n{LETTERS}\n"))


def allow_mail(provider: Provider) -> None:
    """As if the operator allowed codes by e-mail, and had a server for mail."""
    provider.idp.policy = POLICY
    provider.gateway.channels = frozenset(Channel)


def mails(provider: Provider) -> list[Message]:
    """What went out by e-mail, oldest first."""
    return [message for message in provider.gateway.sent if message.channel is Channel.EMAIL]


def can_mail(provider: Provider) -> None:
    """As if the operator had set up e-mail."""
    server = read_mail_server("smtps://mail.example.com")
    provider.idp.settings = provider.idp.settings.model_copy(update={"smtp_url": server})
    assert "smtp" in provider.idp.settings.gateways_to_open


def newest_link(provider: Provider, pattern: re.Pattern[str]) -> str:
    """What `pattern` has as its group in the newest mail that it is in: of mails of one moment any may be the last."""
    found = [match for mail in mails(provider) if (match := pattern.search(mail.text))]
    assert found, [mail.text for mail in mails(provider)]
    return str(found[-1][1])
