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
from idp.sentences import apart, as_it_is, sentence
from idp.settings import Settings
from idp.sms import open_gateways
from idp.sms.intel import open_intel
from idp.sms.wire import new_client
from idp.spending import Country, Mode, read_spending, sends_out

AGAIN = sentence("correct it, then ask again")


def passkeys(settings: Settings) -> Finding:
    """Whether people can have passkeys here."""
    host = urlsplit(settings.issuer).hostname or ""
    with suppress(ValueError):
        ip_address(host)
        found = sentence("nobody can have one: %(host)s is an address, and browsers want a name", host=host)
        return Finding("passkeys", WARN, found, sentence("http://localhost, or a domain, in IDP_ISSUER"))
    domain = settings.passkey_rp_id or host
    if settings.passkey_roots is not None:
        found = sentence("for %(domain)s, and makers who vouch for hardware", domain=domain)
        return Finding("passkeys", OK, found)
    return Finding("passkeys", OK, sentence("for %(domain)s", domain=domain))


def policy(settings: Settings) -> Finding:
    """Whether the policy can be read."""
    try:
        policy = read_policy(settings)
    except SettingsError as error:
        return Finding("policy", FAIL, apart(error.problems), sentence("correct the file that IDP_POLICY names"))
    name = sentence("the one that comes with Stile") if settings.policy is None else str(settings.policy)
    scopes = len(policy.scopes.keys() - policy.places)
    return Finding("policy", OK, sentence("%(name)s, %(count)s scopes", name=name, count=scopes))


def spending(settings: Settings) -> Finding:
    """Where text messages may go. A country that nobody opened is closed."""
    try:
        table = read_spending(settings)
    except SettingsError as error:
        advice = sentence("correct IDP_SMS_COUNTRIES, or the file that IDP_SPENDING names")
        return Finding("spending", FAIL, apart(error.problems), advice)
    if not table.anything_open:
        found = sentence("no country is open, so no text message is sent")
        return Finding("spending", WARN, found, sentence("set IDP_SMS_COUNTRIES"))
    soft = [rule for rule, mode in table.modes.items() if mode is not Mode.ENFORCE]
    if soft and sends_out(settings):
        found = sentence("not enforced: %(rules)s", rules=", ".join(soft))
        return Finding("spending", WARN, found, sentence("see `idp sms rules`"))
    named = " ".join(
        region if country is Country.ALLOW else f"{region}:{country}"
        for region, country in table.countries.items()
        if country is not Country.DENY
    )
    everywhere = sentence("every country, for nothing leaves this machine")
    return Finding("spending", OK, sentence("open: %(countries)s", countries=named or everywhere))


def languages(settings: Settings) -> list[Finding]:
    """Whether every catalogue is whole."""
    correct = sentence("correct it")
    wrong = [Finding("languages", WARN, as_it_is(each), correct) for each in catalogue.mistakes(settings.templates)]
    for language in catalogue.languages(settings.templates):
        missing = sorted(catalogue.untranslated(language, settings.templates))
        if missing:
            found = sentence(
                "%(language)s says %(count)s sentences in English, the first: %(first)s",
                language=language,
                count=len(missing),
                first=repr(missing[0]),
            )
            wrong.append(Finding("languages", WARN, found, sentence("translate them: docs/languages.md")))
    return wrong or [Finding("languages", OK, as_it_is(", ".join(catalogue.languages(settings.templates))))]


async def gateways(settings: Settings) -> list[Finding]:
    """Whether the gateways that are named are there, with what they need."""
    async with new_client() as client:
        try:
            opened = open_gateways(settings.gateways_to_open, settings=settings, client=client)
        except SettingsError as error:
            return [Finding("sms", FAIL, as_it_is(problem), AGAIN) for problem in error.problems]
    names = ", ".join(gateway.name for gateway in opened)
    if settings.gateways_for(None) == ("console",):
        found = sentence("codes are printed, not sent")
        return [Finding("sms", WARN, found, sentence("for real people set IDP_SMS_GATEWAYS"))]
    tries = sentence("`idp sms test --to …` sends one")
    if settings.smtp_url is not None:
        tries = sentence("`idp sms test --to …` sends one, `idp email test --to …` an e-mail")
    return [Finding("sms", OK, as_it_is(names), tries)]


async def intel(settings: Settings) -> list[Finding]:
    """Who tells of changed SIMs, if anybody does. Asking is `idp sms test`'s, as it takes a number."""
    if settings.number_intel is None:
        return []
    async with new_client() as client:
        try:
            open_intel(settings, client=client, clock=DatabaseClock())
        except SettingsError as error:
            return [Finding("sim", FAIL, as_it_is(problem), AGAIN) for problem in error.problems]
    tries = sentence("`idp sms test --to …` asks about one number")
    return [Finding("sim", OK, as_it_is(settings.number_intel), tries)]


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
            found = sentence(
                "the certificate of %(issuer)s is not trusted here: %(why)s", issuer=settings.issuer, why=why
            )
            advice = sentence(
                "is it of an authority of your own? Then SSL_CERT_FILE=authority.pem idp doctor; else renew it"
            )
            return Finding("issuer", WARN, found, advice)
        found = sentence("nothing answers at %(where)s (%(error)s)", where=settings.issuer, error=type(error).__name__)
        advice = sentence("is `idp serve` running, and does the proxy lead there?")
        return Finding("issuer", WARN, found, advice)
    try:
        issuer = json.loads(answer.content)["issuer"] if answer.status_code == httpx.codes.OK else None
    except (ValueError, KeyError, TypeError, RecursionError):
        issuer = None
    if issuer != settings.issuer:
        found = sentence(
            "%(url)s answers %(status)s, and not as %(issuer)s",
            url=url,
            status=answer.status_code,
            issuer=settings.issuer,
        )
        return Finding("issuer", FAIL, found, sentence("something else is there, or a proxy changes the path"))
    return Finding("issuer", OK, sentence("reachable, and calls itself the same"))
