"""Acme Bank: an application whose customers sign in with the provider, and approve each transfer there."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any, assert_never

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from idp.demo.bank_api import BankApi, details_of
from idp.demo.ledger import LARGEST, Ledger, amount_of, euros
from idp.demo.registration import Registration
from idp.demo.sessions import Session
from idp.demo.site import DemoUrls, Site, line
from stile_rp import Declined, Person, SignedIn, step_up

TRANSFERS_KEPT = 20  # of one session
ASKED = ("openid",)  # and the transfer itself: the provider owns the rule, and knows what approving one needs
STEP_UPS = 2  # an API that is never content must not send people round for ever


class State(Enum):
    """How far a transfer is."""

    REVIEW = "review"
    SENDING = "sending"
    DONE = "done"


@dataclass(slots=True)
class Transfer:
    """One transfer somebody prepared. It stays on the server: the browser only ever names it."""

    id: str
    payee: str
    amount: Decimal
    state: State = State.REVIEW
    problem: str | None = None
    refused: str | None = None  # what the provider says of who cannot confirm it at all
    proof: Person | None = None
    step_ups: int = 0

    @property
    def path(self) -> str:
        """Its page."""
        return f"/transfers/{self.id}"

    @property
    def details(self) -> list[dict[str, Any]]:
        """What the provider asks the customer to approve."""
        return [details_of(self.payee, self.amount)]


@dataclass(slots=True)
class Desk:
    """What the bank keeps about one session."""

    transfers: dict[str, Transfer] = field(default_factory=dict)  # by path


class Bank:
    """The bank's pages."""

    def __init__(self, config: Registration, urls: DemoUrls) -> None:
        self.site = Site(config, urls, folder="bank", cookie="acme_bank", own=Desk)
        self.ledger = Ledger()
        self.api = BankApi(self.site.party, self.ledger, now=config.now)

    async def home(self, request: Request) -> Response:
        """What this is, or your account."""
        here = self.site.signed_in(request)
        if here is None:
            return self.site.page("home")
        session, signed_in = here
        account = self.ledger.account(signed_in.person.subject, now=self.site.config.now())
        return self.site.page("account", session, account=account, euros=euros)

    async def login(self, request: Request) -> Response:
        """Off to the provider."""
        return await self.site.login(request, ("openid", "profile"))

    async def callback(self, request: Request) -> Response:
        """Back from the provider: somebody signed in, or confirmed a transfer, or did not."""
        session = self.site.sessions.find(request)
        outcome = await self.site.answered(request, session)
        if session is None or self.site.sessions.find(request) is not session:  # signed out in another tab meanwhile
            return RedirectResponse("/", 303)
        transfer = session.own.transfers.get(outcome.then)
        match outcome:
            case Declined():
                return self._declined(session, outcome, transfer)
            case SignedIn() if transfer is not None:
                return await self._confirmed(session, outcome, transfer)
            case SignedIn():
                response = RedirectResponse("/", 303)
                if outcome.then == "/":  # a confirmation whose transfer is gone signs nobody in
                    self.site.sessions.sign_in(session, outcome)
                    self.site.sessions.keep(response, session)
                return response
            case _:
                assert_never(outcome)

    def _declined(self, session: Session[Desk], outcome: Declined, transfer: Transfer | None) -> Response:
        if outcome.error == "unmet_authentication_requirements" and transfer is not None:
            transfer.refused = outcome.description or ""
            return RedirectResponse(f"{transfer.path}/refused", 303)
        if transfer is not None:
            transfer.problem = (
                "You did not confirm this transfer, so no money has moved."
                if outcome.error == "access_denied"
                else "The sign-in service could not confirm this transfer. No money has moved."
            )
            return RedirectResponse(transfer.path, 303)
        return self.site.page("not_signed_in", session, status=403, cancelled=outcome.error == "access_denied")

    async def _confirmed(self, session: Session[Desk], outcome: SignedIn, transfer: Transfer) -> Response:
        back = RedirectResponse(transfer.path, 303)
        signed_in = session.signed_in
        if transfer.state is not State.REVIEW:
            return back
        if signed_in is None or signed_in.person.subject != outcome.person.subject:
            transfer.problem = "Somebody else confirmed this than is signed in here. No money has moved."
            return back
        transfer.state, transfer.problem = State.SENDING, None  # a second confirmation meanwhile must not send it again
        try:
            answer = await self.site.party.world.http.post(
                f"{self.site.config.base_url}/api/transfers",
                json={"payee": transfer.payee, "amount": str(transfer.amount)},
                headers={"authorization": f"Bearer {outcome.access_token}"},
            )
        except httpx.HTTPError:
            transfer.state = State.REVIEW
            transfer.problem = "We could not finish. Look at your recent transfers before you try again."
            return back
        if answer.status_code == 201:
            transfer.state, transfer.proof = State.DONE, outcome.person
            return back
        transfer.state = State.REVIEW
        asked = step_up(answer)
        if asked is not None and transfer.step_ups < STEP_UPS:
            # RFC 9470 4: ask for exactly what the API wants, then try again with the new token.
            transfer.step_ups += 1
            return await self.site.to_provider(
                session,
                ASKED,
                then=transfer.path,
                acr_values=asked.acr_values,
                max_age=asked.max_age,
                details=transfer.details,
            )
        transfer.problem = (
            "There is not enough money in your account. No money has moved."
            if answer.status_code == 409
            else "We could not accept this confirmation. No money has moved; you can try again."
        )
        return back

    async def prepare(self, request: Request) -> Response:
        """The empty form."""
        here = self.site.signed_in(request)
        if here is None:
            return RedirectResponse("/", 303)
        return self._form(here, payee="", amount="", errors={})

    async def review(self, request: Request) -> Response:
        """Keep what was filled in, and on to the provider, which shows it once more and asks for its approval."""
        here = self._signed_in(request)
        session, _ = here
        told = await self.site.form(request, session)
        payee, amount = line(told.get("payee", ""), longest=70), amount_of(told.get("amount", ""))
        errors = {}
        if payee is None:
            errors["payee"] = "Enter who gets the money, in at most 70 characters"
        if amount is None:
            errors["amount"] = f"Enter an amount up to {euros(LARGEST)}, such as 25.00"
        elif amount > self._balance(here):
            errors["amount"] = "You do not have that much in your account"
        if payee is None or amount is None or errors:
            typed = {name: told.get(name, "")[:200] for name in ("payee", "amount")}
            return self._form(here, **typed, errors=errors, status=400)
        transfer = Transfer(secrets.token_urlsafe(12), payee, amount)
        kept = session.own.transfers
        while len(kept) >= TRANSFERS_KEPT:
            del kept[next(iter(kept))]
        kept[transfer.path] = transfer
        return RedirectResponse(f"{transfer.path}/confirm", 303)

    async def transfer(self, request: Request) -> Response:
        """One transfer, before and after."""
        session, transfer = self._transfer(request)
        return self.site.page("transfer", session, transfer=transfer, euros=euros, State=State)

    async def refused(self, request: Request) -> Response:
        """Why nothing that this person has confirms the transfer, at an address of its own: a reload shows it again."""
        session, transfer = self._transfer(request)
        if transfer.refused is None:
            return RedirectResponse(transfer.path, 303)
        return self.site.page("needs_authenticator", session, status=403, transfer=transfer, euros=euros)

    async def confirm(self, request: Request) -> Response:
        """Off to the provider. Nothing is changed by that, so an address will do: only the customer can approve it."""
        session, transfer = self._transfer(request)
        if request.method == "POST":
            await self.site.form(request, session)
        if transfer.state is not State.REVIEW:
            return RedirectResponse(transfer.path, 303)
        transfer.problem, transfer.refused, transfer.step_ups = None, None, 0
        return await self.site.to_provider(session, ASKED, then=transfer.path, details=transfer.details)

    async def cancel(self, request: Request) -> Response:
        """Forget a transfer that was not sent."""
        session, transfer = self._transfer(request)
        await self.site.form(request, session)
        if transfer.state is State.REVIEW:
            del session.own.transfers[transfer.path]
        return RedirectResponse("/", 303)

    def _form(
        self,
        here: tuple[Session[Desk], SignedIn],
        *,
        payee: str,
        amount: str,
        errors: dict[str, str],
        status: int = 200,
    ) -> Response:
        balance = euros(self._balance(here))
        return self.site.page(
            "prepare", here[0], status=status, payee=payee, amount=amount, errors=errors, balance=balance
        )

    def _balance(self, here: tuple[Session[Desk], SignedIn]) -> Decimal:
        return self.ledger.account(here[1].person.subject, now=self.site.config.now()).balance

    def _signed_in(self, request: Request) -> tuple[Session[Desk], SignedIn]:
        here = self.site.signed_in(request)
        if here is None:
            raise HTTPException(403)
        return here

    def _transfer(self, request: Request) -> tuple[Session[Desk], Transfer]:
        here = self.site.signed_in(request)
        transfer = None if here is None else here[0].own.transfers.get(f"/transfers/{request.path_params['id']}")
        if here is None or transfer is None:
            raise HTTPException(404)
        return here[0], transfer


def bank(
    config: Registration,
    urls: DemoUrls | None = None,
    *,
    start: Starlette | None = None,
) -> Starlette:
    """The bank as an ASGI application. `start`, the demo's start page, is served at `/demo/` when given."""
    here = Bank(config, urls or DemoUrls())
    routes: Sequence[BaseRoute] = [
        Route("/", here.home),
        Route("/login", here.login),
        Route("/callback", here.callback),
        Route("/transfers/new", here.prepare),
        Route("/transfers", here.review, methods=["POST"]),
        Route("/transfers/{id}", here.transfer),
        Route("/transfers/{id}/refused", here.refused),
        Route("/transfers/{id}/confirm", here.confirm, methods=["GET", "POST"]),
        Route("/transfers/{id}/cancel", here.cancel, methods=["POST"]),
        Route("/api/transfers", here.api.transfers, methods=["POST"]),
        *([Mount("/demo", start)] if start is not None else []),
    ]
    return here.site.application(routes)
