"""The whole check-up of `idp doctor`: what is set, the database if it can be reached, and what others answer."""

import asyncio
from collections.abc import Mapping

from idp import localpg
from idp.crypto import KeyChain, parse_secret_keys
from idp.errors import IdpError, SettingsError
from idp.flows.checks.findings import FAIL, WARN, Finding
from idp.flows.checks.settings import AGAIN
from idp.flows.checks.stored import stored
from idp.flows.checks.whole import at_hand, outside
from idp.sentences import as_it_is
from idp.serving.place import KEY_FILE, read_or_make_keys
from idp.settings import Settings, read_settings
from idp.store.engine import Database


def check_all(environ: Mapping[str, str]) -> list[Finding]:
    """Everything, as far as it can be reached."""
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        return [Finding("settings", FAIL, as_it_is(problem), AGAIN) for problem in error.problems]
    findings = asyncio.run(at_hand(settings))
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
        return [*findings, *asyncio.run(_with_database(settings, url)), *asyncio.run(outside(settings))]
    if not localpg.available():
        advice = "set IDP_DATABASE_URL, or: pip install 'stile-idp[embedded]'"
        found = as_it_is("none is set and the embedded one is not installed")
        return [*findings, Finding("database", FAIL, found, as_it_is(advice))]
    if not (settings.data_dir / "postgres").exists():
        found = as_it_is(f"none yet in {settings.data_dir}")
        advice = "`idp serve` makes it, or set IDP_DATABASE_URL"
        return [*findings, Finding("database", WARN, found, as_it_is(advice))]
    try:
        with localpg.running(settings.data_dir) as url:
            findings += asyncio.run(_with_database(settings, url))
    except localpg.LocalPostgresError as error:
        findings.append(Finding("database", FAIL, as_it_is(str(error))))
    return [*findings, *asyncio.run(outside(settings))]


async def _with_database(settings: Settings, url: str) -> list[Finding]:
    def secrets() -> KeyChain | None:
        path = settings.data_dir / KEY_FILE
        if (chain := settings.key_chain()) is not None or not path.exists():
            return chain
        return KeyChain(parse_secret_keys(read_or_make_keys(path))[0])

    db = Database(url, size=2)
    try:
        await db.open()
    except IdpError as error:
        advice = "is it running, and is IDP_DATABASE_URL right (host, port, name, user, password)?"
        return [Finding("database", FAIL, as_it_is(str(error)), as_it_is(advice))]
    findings: list[Finding] = []
    try:
        findings += [finding async for finding in stored(settings, db, secrets=secrets)]
    except IdpError as error:
        findings.append(Finding("database", FAIL, as_it_is(str(error))))
    finally:
        await db.close()
    return findings
