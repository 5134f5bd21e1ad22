"""The checks of `idp doctor` of sites behind a proxy: each is asked as a stranger would ask it."""

import asyncio
from contextlib import suppress

import httpx

from idp.errors import SettingsError
from idp.flows.checks.findings import FAIL, OK, WARN, Finding
from idp.flows.idp import SITE_PATH
from idp.flows.rules import read_policy
from idp.oidc import metadata
from idp.policy import Site
from idp.sentences import sentence
from idp.settings import Settings

_PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
# What an application behind the proxy would believe.
_FORGED = {
    "Remote-User": "doctor",
    "Remote-Groups": "doctor",
    "Remote-Email": "doctor@example.com",
    "X-Stile-Acr": "doctor",
    "Cookie": "__Host-stile-site=doctor",
}
_DOCS = sentence("compare the proxy's settings with docs/forward-auth.md")


async def sites(settings: Settings) -> list[Finding]:
    """Whether the proxy of each site asks us before it lets anybody in, and passes on to us what is ours."""
    with suppress(SettingsError):  # told above
        policy = read_policy(settings)
        async with httpx.AsyncClient(timeout=5, follow_redirects=False) as client:
            return list(await asyncio.gather(*(_site(client, settings, site) for site in policy.sites.values())))
    return []


async def _site(client: httpx.AsyncClient, settings: Settings, site: Site) -> Finding:
    start = f"{site.origin}{SITE_PATH}/start"
    try:
        opened = await client.get(f"{site.origin}/", headers={**_PAGE, **_FORGED})
        begun = await client.get(start, headers=_PAGE)
    except httpx.HTTPError as error:
        found = sentence("nothing answers at %(where)s (%(error)s)", where=site.origin, error=type(error).__name__)
        return Finding("site", WARN, found, sentence("does the proxy run, and can this machine reach it?"))
    if opened.is_success:
        found = sentence(
            "%(site)s lets in whoever comes: it answers %(status)s to a stranger",
            site=site.origin,
            status=opened.status_code,
        )
        return Finding("site", FAIL, found, sentence("the proxy must ask /forward-auth first: %(docs)s", docs=_DOCS))
    if not begun.headers.get("location", "").startswith(f"{settings.issuer}{metadata.AUTHORIZE}?"):
        found = sentence("%(url)s answers %(status)s, and does not lead here", url=start, status=begun.status_code)
        advice = sentence("pass %(path)s/ on to Stile, with the Host of the site: %(docs)s", path=SITE_PATH, docs=_DOCS)
        return Finding("site", FAIL, found, advice)
    if opened.is_redirect and opened.headers["location"].startswith(f"{start}?"):
        found = sentence("%(site)s sends a stranger to sign in, whatever headers they forge", site=site.origin)
        return Finding("site", OK, found)
    if opened.status_code == httpx.codes.FORBIDDEN:
        found = sentence("%(site)s refuses everybody (403)", site=site.origin)
        advice = sentence(
            "is the proxy's address in IDP_TRUSTED_PROXIES? The log of `idp serve` says what was wrong; %(docs)s",
            docs=_DOCS,
        )
        return Finding("site", FAIL, found, advice)
    found = sentence(
        "%(site)s answers %(status)s, and does not lead to sign in", site=site.origin, status=opened.status_code
    )
    return Finding("site", WARN, found, sentence("can the proxy reach /forward-auth? %(docs)s", docs=_DOCS))
