"""The checks of `idp doctor` that need no database: what is set, and who is to be reached with it."""

import json
import ssl
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from idp import catalogue
from idp.clock import DatabaseClock
from idp.errors import SettingsError
from idp.flows.checks.findings import FAIL, OK, WARN, Finding
from idp.flows.rules import read_policy
from idp.settings import Settings
from idp.sms import open_gateways
from idp.sms.intel import open_intel
from idp.sms.wire import new_client
from idp.spending import Country, Mode, read_spending, sends_out


def passkeys(settings: Settings) -> Finding:
    """Whether people can have passkeys here."""
    host = urlsplit(settings.issuer).hostname or ""
    with suppress(ValueError):
        ip_address(host)
        found = f"nobody can have one: {host} is an address, and browsers want a name"
        return Finding("passkeys", WARN, found, "http://localhost, or a domain, in IDP_ISSUER")
    roots = "" if settings.passkey_roots is None else ", and makers who vouch for hardware"
    return Finding("passkeys", OK, f"for {settings.passkey_rp_id or host}{roots}")


def policy(settings: Settings) -> Finding:
    """Whether the policy can be read."""
    try:
        policy = read_policy(settings)
    except SettingsError as error:
        return Finding("policy", FAIL, "; ".join(error.problems), "correct the file that IDP_POLICY names")
    name = "the one that comes with Stile" if settings.policy is None else str(settings.policy)
    return Finding("policy", OK, f"{name}, {len(policy.scopes.keys() - policy.places)} scopes")


def spending(settings: Settings) -> Finding:
    """Where text messages may go. A country that nobody opened is closed."""
    try:
        table = read_spending(settings)
    except SettingsError as error:
        advice = "correct IDP_SMS_COUNTRIES, or the file that IDP_SPENDING names"
        return Finding("spending", FAIL, "; ".join(error.problems), advice)
    if not table.anything_open:
        return Finding("spending", WARN, "no country is open, so no text message is sent", "set IDP_SMS_COUNTRIES")
    soft = [rule for rule, mode in table.modes.items() if mode is not Mode.ENFORCE]
    if soft and sends_out(settings):
        return Finding("spending", WARN, f"not enforced: {', '.join(soft)}", "see `idp sms rules`")
    named = " ".join(
        region if country is Country.ALLOW else f"{region}:{country}"
        for region, country in table.countries.items()
        if country is not Country.DENY
    )
    return Finding("spending", OK, f"open: {named or 'every country, for nothing leaves this machine'}")


def languages(settings: Settings) -> list[Finding]:
    """Whether every catalogue is whole."""
    wrong = [Finding("languages", WARN, mistake, "correct it") for mistake in catalogue.mistakes(settings.templates)]
    for language in catalogue.languages(settings.templates):
        missing = sorted(catalogue.untranslated(language, settings.templates))
        if missing:
            found = f"{language} says {len(missing)} sentences in English, the first: {missing[0]!r}"
            wrong.append(Finding("languages", WARN, found, "translate them: docs/languages.md"))
    return wrong or [Finding("languages", OK, ", ".join(catalogue.languages(settings.templates)))]


async def gateways(settings: Settings) -> list[Finding]:
    """Whether the gateways that are named are there, with what they need."""
    async with new_client() as client:
        try:
            opened = open_gateways(settings.gateways_to_open, settings=settings, client=client)
        except SettingsError as error:
            return [Finding("sms", FAIL, problem, "correct it, then ask again") for problem in error.problems]
    names = ", ".join(gateway.name for gateway in opened)
    if settings.gateways_for(None) == ("console",):
        return [Finding("sms", WARN, "codes are printed, not sent", "for real people set IDP_SMS_GATEWAYS")]
    tries = "`idp sms test --to …` sends one"
    if settings.smtp_url is not None:
        tries += ", `idp email test --to …` an e-mail"
    return [Finding("sms", OK, names, tries)]


async def intel(settings: Settings) -> list[Finding]:
    """Who tells of changed SIMs, if anybody does. Asking is `idp sms test`'s, as it takes a number."""
    if settings.number_intel is None:
        return []
    async with new_client() as client:
        try:
            open_intel(settings, client=client, clock=DatabaseClock())
        except SettingsError as error:
            return [Finding("sim", FAIL, problem, "correct it, then ask again") for problem in error.problems]
    return [Finding("sim", OK, settings.number_intel, "`idp sms test --to …` asks about one number")]


def _mistrusted(error: BaseException | None) -> str | None:
    """What is wrong with a certificate, in OpenSSL's words; None where nothing is."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return None


async def issuer(settings: Settings) -> Finding:
    """Whether the public address leads to a provider that calls itself the same."""
    url = f"{settings.issuer}/.well-known/openid-configuration"
    try:
        async with httpx.AsyncClient(timeout=5, follow_redirects=False) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        if (why := _mistrusted(error)) is not None:
            advice = "is it of an authority of your own? Then SSL_CERT_FILE=authority.pem idp doctor; else renew it"
            return Finding("issuer", WARN, f"the certificate of {settings.issuer} is not trusted here: {why}", advice)
        found = f"nothing answers at {settings.issuer} ({type(error).__name__})"
        return Finding("issuer", WARN, found, "is `idp serve` running, and does the proxy lead there?")
    try:
        issuer = json.loads(answer.content)["issuer"] if answer.status_code == httpx.codes.OK else None
    except (ValueError, KeyError, TypeError, RecursionError):
        issuer = None
    if issuer != settings.issuer:
        found = f"{url} answers {answer.status_code}, and not as {settings.issuer}"
        return Finding("issuer", FAIL, found, "something else is there, or a proxy changes the path")
    return Finding("issuer", OK, "reachable, and calls itself the same")
