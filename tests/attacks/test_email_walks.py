"""Codes by e-mail in every order of pages: whoever proves nothing else gets nothing that must be proved freshly."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from idp.crypto import KeyChain
from idp.flows.operate.editing import set_email
from tests.world.asking import forget_limits
from tests.world.databases import empty
from tests.world.mailing import allow_mail, mails
from tests.world.provider import BANK_URI, NOTES_URI, PASSWORD, Browser, Provider, claims, forms
from tests.world.running import running, settings_for
from tests.world.stage import own_token

FRESH = ("letters:read", "transfers:write")
SCOPES = frozenset({"openid", "profile", "email", "offline_access", *FRESH})
PEOPLE = {"dora": "dora@example.com", "mia": "mia@example.com"}


@pytest.fixture
async def provider(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """Dora has a phone, an app, saved codes and a verified address; mia the address alone."""
    await empty(database_url)
    async with running(database_url, key_chain, settings_for(tmp_path)) as made:
        await made.add_client("bank", BANK_URI, scopes=SCOPES)
        await made.add_client("notes", NOTES_URI, scopes=SCOPES, first_party=False)
        await made.add_person(
            "dora", number="+37256789050", app=True, codes=True, email=PEOPLE["dora"], email_verified=True
        )
        await made.add_person("mia", email=PEOPLE["mia"], email_verified=True)
        allow_mail(made)
        yield made


@dataclass(slots=True)
class Walk:
    """One browser with several tabs, that knows passwords and reads mail, and nothing else."""

    provider: Provider
    browser: Browser
    chance: random.Random
    tabs: list[str] = field(default_factory=list)
    granted: list[set[str]] = field(default_factory=list)
    refresh: list[tuple[str, str]] = field(default_factory=list)

    async def step(self) -> None:
        ways = (self.opens, self.opens, self.signs_in, self.asks, self.answers, self.answers, self.agrees)
        if self.chance.random() < 0.3:
            await self.goes_through()
            return
        await self.chance.choice((*ways, self.account, self.waits, self.renews, self.rewrites, self.resumes))()

    async def goes_through(self) -> None:
        """What a person would do in one tab, with anything in between."""
        who = self.chance.choice(tuple(PEOPLE))
        await self.opens()
        tab = self.tabs[-1:]
        for ending, form in (("password", {"username": who, "password": PASSWORD}), ("email/send", {}), ("email", {})):
            if self.chance.random() < 0.15:
                await self.step()
            await forget_limits(self.provider)
            await self.provider.deliver()
            sent = [each.code for each in mails(self.provider)[-1:] if each.code is not None]
            await self.post(ending, tab, **({"code": sent[0]} if ending == "email" and sent else form))
            tab = self.tabs[-1:] if ending == "password" else tab
        if self.chance.random() < 0.8:
            await self.post("consent", tab, decision="allow", scope=sorted(SCOPES))

    async def see(self, response: httpx.Response) -> None:
        assert response.status_code < 500, response.text[:500]
        while response.status_code in {302, 303}:
            location = response.headers["location"]
            if not location.startswith(("/", "http://localhost:8000/")):
                found = parse_qs(urlsplit(location).query)
                if "code" in found:
                    await self.redeems("bank" if BANK_URI in location else "notes", found["code"][0])
                return
            response = await self.browser.http.get(location)
            assert response.status_code < 500, response.text[:500]
        path = response.url.path
        heres = ["/".join(path.split("/")[:3])] if path.startswith("/i/") else []
        heres += [
            form.action.replace("/password?", "?") for form in forms(response.text) if "/password?" in form.action
        ]
        self.tabs.extend(here for here in heres if here not in self.tabs)

    async def redeems(self, client: str, code: str) -> None:
        answer = await self.provider.redeem(code, client_id=client)
        self.judge(answer, client)

    def judge(self, answer: httpx.Response, client: str) -> None:
        if answer.status_code != 200:
            return
        body = answer.json()
        granted = set(body["scope"].split())
        assert not granted & set(FRESH), body
        told = claims(body["access_token"])
        assert told["acr"] == "urn:stile:2fa"
        assert told["amr"] == ["pwd", "email", "mfa"]
        self.granted.append(granted)
        if "refresh_token" in body:
            self.refresh.append((client, body["refresh_token"]))

    async def opens(self) -> None:
        scope = " ".join(["openid", *(each for each in sorted(SCOPES) if self.chance.random() < 0.3)])
        changes: dict[str, str] = {"scope": scope}
        if self.chance.random() < 0.4:
            changes["prompt"] = self.chance.choice(("login", "none", "consent", "select_account"))
        if self.chance.random() < 0.3:
            changes["max_age"] = self.chance.choice(("0", "1", "60", "100000"))
        if self.chance.random() < 0.3:
            changes["acr_values"] = self.chance.choice(("urn:stile:2fa", "urn:stile:2fa-strong", "email"))
        url = self.provider.authorize_url(self.chance.choice(("bank", "notes")), **changes)
        await self.see(await self.browser.http.get(url))

    async def post(self, ending: str, tab: Sequence[str] = (), **form: str | list[str]) -> None:
        if not self.tabs or self.browser.token is None:
            return
        path, asked, query = self.chance.choice(tab or self.tabs[-4:]).partition("?")
        path = f"{path}/{ending}{asked}{query}"
        data = {**own_token(self.provider, self.browser, path), **form}
        await self.see(await self.browser.http.post(path, data=data))

    async def signs_in(self) -> None:
        await self.post("password", username=self.chance.choice(tuple(PEOPLE)), password=PASSWORD)

    async def asks(self) -> None:
        await forget_limits(self.provider)
        await self.post(self.chance.choice(("email/send", "email/send", "email/send", "sms/send")))

    async def answers(self) -> None:
        await self.provider.deliver()
        await forget_limits(self.provider)
        codes = [each.code for each in mails(self.provider)[-3:] if each.code is not None]
        if codes:
            factor = self.chance.choice(("email", "email", "email", "email", "sms", "totp", "recovery"))
            await self.post(factor, code=self.chance.choice(codes))

    async def agrees(self) -> None:
        await self.post("consent", decision=self.chance.choice(("allow", "allow", "allow", "deny")), scope=list(SCOPES))

    async def account(self) -> None:
        await self.see(await self.browser.http.get(self.chance.choice(("/account", "/account/authenticators/new"))))

    async def resumes(self) -> None:
        if self.tabs:
            await self.see(await self.browser.http.get(self.chance.choice(self.tabs)))

    async def waits(self) -> None:
        self.provider.clock.move(timedelta(seconds=self.chance.choice((1, 5, 40, 200))))

    async def renews(self) -> None:
        if self.refresh:
            client, token = self.chance.choice(self.refresh)
            more = {"scope": self.chance.choice(FRESH)} if self.chance.random() < 0.5 else {}
            answer = await self.provider.token(client, grant_type="refresh_token", refresh_token=token, **more)
            assert not (more and answer.status_code == 200)
            self.judge(answer, client)

    async def rewrites(self) -> None:
        who = self.chance.choice(tuple(PEOPLE))
        if self.chance.random() < 0.3:
            await set_email(self.provider.idp, who, PEOPLE[who], verified=self.chance.random() < 0.7)


@pytest.mark.parametrize("seed", range(3))
async def test_who_reads_mail_alone_gets_no_fresh_scope_in_any_order_of_pages(provider: Provider, seed: int) -> None:
    walk = Walk(provider, provider.browser(), random.Random(seed))
    for number in range(250):
        await walk.step()
        if number % 60 == 59:
            for who, address in PEOPLE.items():
                await set_email(provider.idp, who, address, verified=True)
            walk.browser, walk.tabs = provider.browser(), []
    assert len(walk.granted) >= 10
