"""What tests share: a running provider, browsers that fill in its forms, and a relying party's view of it."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urljoin, urlsplit
from uuid import UUID, uuid4

import httpx
import pyotp
from starlette.applications import Starlette

from idp.crypto import digest, random_token
from idp.factors import recovery
from idp.flows.delivery import deliver
from idp.flows.idp import Idp
from idp.flows.sealed import NUMBER, PHONE_INDEX, SEED, bound
from idp.model import Account, AssuranceLevel, Authenticator, AuthMethod, Client, Factor
from idp.policy import ScopeRule
from idp.sms import phone
from idp.store.people import accounts, authenticators, recovery_codes
from idp.store.sql import Runnable
from idp.store.tokens import clients
from idp.testing import FakeGateway, FrozenClock
from tests.world import hashing

ISSUER = "http://localhost:8000"
BANK_URI = "http://localhost:8001/callback"
NOTES_URI = "http://localhost:8002/callback"
PASSWORD = hashing.PASSWORD
ALICE_PHONE, BOB_PHONE = "+37256789045", "+37256789046"


@dataclass(slots=True)
class Field:
    name: str
    value: str
    kind: str
    checked: bool


@dataclass(slots=True)
class HtmlForm:
    action: str
    fields: list[Field] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self.buttons: list[tuple[str, str, str]] = []
        self._in_text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(HtmlForm(given.get("action", "")))
        elif tag == "input" and self.forms:
            checked = "checked" in given
            made = Field(given.get("name", ""), given.get("value", ""), given.get("type", "text"), checked)
            self.forms[-1].fields.append(made)
        elif tag in {"textarea", "select"} and self.forms:
            self.forms[-1].fields.append(Field(given.get("name", ""), "", tag, False))
        elif tag == "option" and self.forms and self.forms[-1].fields:
            # The first one, where none is selected.
            last = self.forms[-1].fields[-1]
            if last.kind == "select" and ("selected" in given or not last.checked):
                self.forms[-1].fields[-1] = Field(last.name, given.get("value", ""), "select", True)
        self._in_text = tag == "textarea"

    def handle_data(self, data: str) -> None:
        if self._in_text:
            last = self.forms[-1].fields[-1]
            # HTML 13.1.2.5: a newline at the beginning is none
            self.forms[-1].fields[-1] = replace(
                last, value=last.value + (data if last.value else data.removeprefix("\n"))
            )

    def handle_endtag(self, tag: str) -> None:
        self._in_text = self._in_text and tag != "textarea"


def forms(html: str) -> list[HtmlForm]:
    parser = _Forms()
    parser.feed(html)
    return parser.forms


class _Client(httpx.AsyncClient):
    """Goes on to the page that says what was wrong with a form, so that its answer is what a person sees."""

    async def post(self, *args: Any, **given: Any) -> httpx.Response:
        response = await super().post(*args, **given)
        there = response.headers.get("location", "")
        if response.status_code != 303 or not re.search("[?&]note=", there):
            return response
        return await self.get(there, headers=given.get("headers"))


class Browser:
    """Keeps cookies, follows redirects inside the provider, stops at a client's redirect URI."""

    def __init__(self, app: Starlette, *, address: str = "192.0.2.1", headers: Mapping[str, str] | None = None) -> None:
        transport = httpx.ASGITransport(app=app, client=(address, 40000), raise_app_exceptions=False)

        async def tick(_: httpx.Request) -> None:
            # The clock stands still, but of two requests one is later: of two codes that wait, one is the newer.
            clock = app.state.idp.clock
            if isinstance(clock, FrozenClock):
                clock.move(timedelta(microseconds=1))

        self.http: httpx.AsyncClient = _Client(
            transport=transport, base_url=ISSUER, headers=headers, event_hooks={"request": [tick]}
        )
        self.page: httpx.Response | None = None

    async def get(self, url: str, *, follow: bool = True) -> httpx.Response:
        return await self._follow(await self.http.get(url)) if follow else await self.http.get(url)

    async def post(self, url: str, data: Mapping[str, Any], *, follow: bool = True) -> httpx.Response:
        response = await self.http.post(url, data=dict(data))
        return await self._follow(response) if follow else response

    async def _follow(self, response: httpx.Response) -> httpx.Response:
        while response.status_code in {302, 303} and response.headers["location"].startswith(("/", ISSUER + "/")):
            response = await self.http.get(urljoin(ISSUER, response.headers["location"]))
        self.page = response
        return response

    async def submit(self, ending: str, *, follow: bool = True, without: str = "", **typed: str) -> httpx.Response:
        """Fill in the form of the current page whose action ends so, and send it."""
        assert self.page is not None
        form = self.form(ending)
        data: dict[str, Any] = {}
        for each in form.fields:
            if each.kind == "checkbox":
                if each.checked:
                    data.setdefault(each.name, []).append(each.value)
            elif each.name:
                data[each.name] = each.value
        data |= typed
        data.pop(without, None)
        return await self.post(form.action, data, follow=follow)

    def form(self, ending: str) -> HtmlForm:
        assert self.page is not None
        found = [form for form in forms(self.page.text) if urlsplit(form.action).path.endswith(ending)]
        assert found, f"no form {ending!r} on {self.page.url} ({self.page.status_code}): {self.page.text[:3000]}"
        return found[0]

    async def ask_for_text(self) -> httpx.Response:
        """Press what brings a text message, where one is offered and none left by itself."""
        assert self.page is not None
        found = re.match(".*/i/[^/]+", self.page.url.path)
        path = "" if found is None else f"{found[0]}/sms"
        if f'action="{path}"' in self.page.text:
            return self.page
        if f'href="{path}"' in self.page.text:
            await self.get(path)
        if f'action="{path}/send"' in self.page.text:
            await self.submit("/sms/send")
        return self.page

    @property
    def token(self) -> str | None:
        return self.http.cookies.get("stile")


def parameters(response: httpx.Response) -> dict[str, str]:
    """The query of the redirect back to a client."""
    assert response.status_code == 303, (response.status_code, response.text[:2000])
    query = parse_qs(urlsplit(response.headers["location"]).query, keep_blank_values=True)
    return {name: values[0] for name, values in query.items()}


@dataclass(frozen=True, slots=True)
class Pkce:
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass(slots=True)
class Provider:
    """A provider on a fresh database, whose clock and gateway belong to the test."""

    app: Starlette
    idp: Idp
    clock: FrozenClock
    gateway: FakeGateway
    pkce: Pkce = field(default_factory=Pkce)
    secrets: dict[str, str] = field(default_factory=dict)
    seeds: dict[str, bytes] = field(default_factory=dict)
    saved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    statements: list[str] = field(default_factory=list)

    def browser(self, **options: Any) -> Browser:
        return Browser(self.app, **options)

    def count(self) -> None:
        """Start to note the statements that run."""
        self.statements.clear()
        self.idp.db.on_statement = self.statements.append

    async def deliver(self) -> list[str]:
        """Send what waits in the outbox; the codes sent so far."""
        while await deliver.deliver_one(self.idp, (self.gateway,)) is not None:
            pass
        return self.gateway.codes()

    def authorize_url(self, client_id: str = "bank", **changes: str | None) -> str:
        given: dict[str, str | None] = {
            "client_id": client_id,
            "redirect_uri": BANK_URI if client_id == "bank" else NOTES_URI,
            "response_type": "code",
            "scope": "openid",
            "state": "s t&a=te",
            "nonce": "n-0",
            "code_challenge": self.pkce.challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return "/authorize?" + urlencode({name: value for name, value in given.items() if value is not None})

    async def store(self, browser: Browser, client_id: str = "bank", **changes: str | None) -> httpx.Response:
        """Ask with more than an address has room for, which is stored before anybody signed in; the page at /i/."""
        query = urlsplit(self.authorize_url(client_id, pad="x" * 3000, **changes)).query
        given, ours = dict(parse_qsl(query)), {"Sec-Fetch-Site": "same-origin"}
        posted = await browser.http.post("/authorize?again", data=given, headers=ours)
        assert posted.headers["location"].startswith("/i/"), posted.text[:2000]
        return await browser.get(posted.headers["location"])

    async def sign_in(
        self,
        browser: Browser,
        username: str = "alice",
        *,
        password: str = PASSWORD,
        client_id: str = "bank",
        **changes: str | None,
    ) -> httpx.Response:
        """From the authorization request over password and SMS to whatever comes next."""
        await self.half_way(browser, username, password=password, client_id=client_id, **changes)
        return await browser.submit("/sms", code=await self.texted(browser))

    async def half_way(
        self,
        browser: Browser,
        username: str = "alice",
        *,
        password: str = PASSWORD,
        client_id: str = "bank",
        **changes: str | None,
    ) -> httpx.Response:
        """From the authorization request over the password to the page of the second factor that comes first."""
        response = await browser.get(self.authorize_url(client_id, **changes))
        assert response.status_code == 200, response.text[:2000]
        response = await browser.submit("/password", username=username, password=password)
        assert response.status_code == 200, response.text[:2000]
        return response

    async def texted(self, browser: Browser) -> str:
        """The code of a text message, which who has an app asks for; the page is then the one it is typed into."""
        await browser.ask_for_text()
        return (await self.deliver())[-1]

    async def code(self, browser: Browser, username: str = "alice", **changes: Any) -> str:
        return parameters(await self.sign_in(browser, username, **changes))["code"]

    def totp(self, username: str = "alice", *, after: timedelta = timedelta(0)) -> str:
        return pyotp.TOTP(base64.b32encode(self.seeds[username]).decode()).at(self.clock.now() + after)

    async def redeem(self, code: str, client_id: str = "bank", **changes: str) -> httpx.Response:
        return await self.token(
            client_id,
            grant_type="authorization_code",
            code=code,
            redirect_uri=BANK_URI if client_id == "bank" else NOTES_URI,
            code_verifier=self.pkce.verifier,
            **changes,
        )

    async def token(self, client_id: str = "bank", **form: str) -> httpx.Response:
        async with self.browser().http as http:
            return await http.post("/token", data=form, auth=(client_id, self.secrets[client_id]))

    async def introspect(self, token: str, client_id: str = "bank") -> dict[str, Any]:
        async with self.browser().http as http:
            answer = await http.post("/introspect", data={"token": token}, auth=(client_id, self.secrets[client_id]))
        body: dict[str, Any] = answer.json()
        return body

    async def add_client(self, client_id: str, redirect_uri: str, **changes: Any) -> Client:
        secret = random_token()
        given: dict[str, Any] = {
            "name": f"Acme {client_id.title()}",
            "auth_method": AuthMethod.BASIC,
            "redirect_uris": (redirect_uri,),
            "post_logout_redirect_uris": (redirect_uri.replace("callback", "goodbye"),),
            "grant_types": frozenset({"authorization_code", "refresh_token"}),
            "scopes": frozenset(
                {"openid", "profile", "email", "phone", "address", "offline_access", "transfers:write"}
            ),
            "secret_hash": digest(secret),
            "first_party": True,
            "signing_alg": "ES256",
            **changes,
        }
        made = Client(id=client_id, **given)
        self.secrets[client_id] = secret
        await clients.add(self.idp.db, made, now=self.clock.now())
        self.idp.clients = {**self.idp.clients, client_id: made}
        return made

    def for_machines(self, scope: str) -> None:
        """A row of the policy that gives this scope to clients which act for themselves, and to nobody else."""
        life = timedelta(minutes=10)
        rule = ScopeRule(
            AssuranceLevel.TWO_FACTOR, None, life, refresh=False, internal=False, people=False, machines=True
        )
        self.idp.policy = replace(self.idp.policy, scopes={**self.idp.policy.scopes, scope: rule})

    async def add_person(
        self, username: str, *, number: str | None = None, app: bool = False, codes: bool = False, **changes: Any
    ) -> UUID:
        now = self.clock.now()
        person = Account(id=uuid4(), username=username, created_at=now, updated_at=now, **changes)
        await accounts.add(self.idp.db, person, password_hash=hashing.hashed())
        if number is not None:
            await self.add_phone(person.id, number)
        if app:
            self.seeds[username] = secrets.token_bytes(20)
            await self._add(person.id, Factor.TOTP, "Pixel", "", self.seeds[username], SEED, now)
        if codes:
            made = await self._add(person.id, Factor.RECOVERY, "", "", None, "", now)
            self.saved[username] = recovery.new_codes()
            hashes = [
                recovery.stored(recovery.normalise_answer(code) or "", authenticator_id=made)
                for code in self.saved[username]
            ]
            await recovery_codes.save(self.idp.db, authenticator_id=made, hashes=hashes)
        return person.id

    async def add_phone(self, account_id: UUID, number: str) -> UUID:
        return await self._add(
            account_id, Factor.SMS, "", phone.hint(number), number.encode(), NUMBER, self.clock.now()
        )

    async def _add(
        self, account_id: UUID, factor: Factor, label: str, hint: str, secret: bytes | None, purpose: str, now: datetime
    ) -> UUID:
        made = Authenticator(
            id=uuid4(),
            account_id=account_id,
            factor=factor,
            label=label,
            hint=hint,
            created_at=now,
            trusted_at=now,
            confirmed_at=now,
        )
        sealed = None
        if secret is not None:
            where = bound(account_id, made.id)
            sealed = self.idp.secrets.seal(secret, purpose=purpose, bound_to=where)
        number_key = None
        if factor is Factor.SMS and secret is not None:
            number_key = self.idp.secrets.index(secret.decode(), purpose=PHONE_INDEX)
        await authenticators.add(self.idp.db, replace(made, number_key=number_key), sealed=sealed)
        return made.id

    async def rows(self, statement: Runnable, **values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.idp.db.all(statement, **values)]


def claims(token: str) -> dict[str, Any]:
    """The payload of a JWT, unverified: what the test wants to look at."""
    body = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return decoded
