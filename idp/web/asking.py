"""From what `decide` asks to the page that asks it. No request is read and nothing is decided here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import assert_never
from urllib.parse import urlsplit

from idp.factors.strength import MIN_CHARACTERS
from idp.flows.delivery.outgoing import masked
from idp.flows.idp import OURS, Idp
from idp.flows.people.forgotten import FORGOT_PATH
from idp.flows.people.registering import REGISTER_PATH
from idp.flows.signin.authorize import Show
from idp.flows.signin.destinations import Destination, destination, phone_of, phones_of
from idp.flows.signin.questions import asked_phone, waiting
from idp.model import SENT, Challenge, Change, Factor
from idp.oidc.redirects import leads_on
from idp.policy import Kind, Policy, Why
from idp.web import apps, pages
from idp.web.pages import AccountChoice, Alternative, Delivery, Page, Problem
from idp.web.purposes import AGAIN, purpose_of, scope_line, who_of

_SAVED = {Problem.SIGN_IN_WAIT_HERE, Problem.SIGN_IN_WRONG_HERE}


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a factor: nothing was typed, it cannot be an answer, it is wrong."""

    missing: Problem
    malformed: Problem
    wrong: Problem


def _words(factor: Factor) -> Words:
    match factor:
        case Factor.PASSWORD:
            return Words(Problem.PASSWORD_MISSING, Problem.SIGN_IN_WRONG, Problem.SIGN_IN_WRONG)
        case Factor.SMS:
            return Words(Problem.SMS_CODE_MISSING, Problem.CODE_SHAPE, Problem.CODE_WRONG)
        case Factor.EMAIL:
            return Words(Problem.EMAIL_CODE_MISSING, Problem.CODE_SHAPE, Problem.CODE_WRONG)
        case Factor.TOTP:
            return Words(Problem.APP_CODE_MISSING, Problem.CODE_SHAPE, Problem.CODE_WRONG)
        case Factor.PASSKEY:
            return Words(Problem.PASSKEY_MISSING, Problem.PASSKEY_WRONG, Problem.PASSKEY_WRONG)
        case Factor.RECOVERY:
            wrong = Problem.RECOVERY_WRONG
            return Words(Problem.RECOVERY_MISSING, wrong, wrong)
        case _:
            assert_never(factor)


WORDS: Mapping[str, Words] = MappingProxyType({factor: _words(factor) for factor in Factor})


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """What a page shows beside the question: what was wrong, what was typed, how long to wait."""

    problems: tuple[Problem, ...] = ()
    username: str | None = None
    wait: timedelta | None = None
    resend_in: timedelta | None = None
    last_for: timedelta | None = None
    tries_left: int | None = None
    to: Destination | None = None
    delivery: Delivery = Delivery.UNKNOWN
    options: str | None = field(default=None, repr=False)


NOTHING = Extra()


def page_for(show: Show, policy: Policy, *, base: str, factor: Factor | None = None, extra: Extra = NOTHING) -> Page:
    """The page of this question; `factor` chooses among the second factors that are asked for."""
    here = f"{base}/i/{show.interaction.id}"
    match show.ask.kind:
        case Kind.PASSWORD:
            return sign_in(show, policy, here, extra, forgot=base + FORGOT_PATH)
        case Kind.SECOND_FACTOR:
            return _second_factor(show, policy, here, asked(show, factor), extra)
        case Kind.APPROVAL:
            purpose, who, cancel = purpose_of(show, policy, here), who_of(show, here), f"{here}/cancel"
            return pages.Approve(
                action=f"{here}/approve", purpose=purpose, who=who, cancel=cancel, problems=extra.problems
            )
        case Kind.CONSENT:
            return _consent(show, policy, here, extra)
        case Kind.SELECT_ACCOUNT:
            return _select_account(show, policy, here, extra)
        case Kind.NEW_PASSWORD:
            return _new_password(show, here, extra)


def leads_to(show: Show) -> tuple[str, ...]:
    """Where a redirect after the forms of this page may lead: to the client's, from our own account pages nowhere."""
    if show.client.id in OURS:
        return ()
    return leads_on(show.interaction.request.redirect_uri, show.client.redirect_uris)


def destination_of(idp: Idp, show: Show, factor: Factor | None) -> Destination | None:
    """Where a code goes that the page of this question offers to send; None where nothing has to be sent."""
    account = show.facts.account
    if show.ask.kind is not Kind.SECOND_FACTOR or account is None:
        return None
    which = asked(show, factor)
    to = asked_phone(show, which, idp.policy)
    return destination(idp, which, account, show.loaded.authenticators, phone_id=to)


def asked(show: Show, factor: Factor | None) -> Factor:
    """The second factor that the page asks for: the one that was chosen, if it would do."""
    return factor if factor is not None and factor in show.ask.factors else show.ask.factors[0]


def sign_in(
    show: Show, policy: Policy, here: str, extra: Extra = NOTHING, *, asked: str = "", forgot: str | None = None
) -> Page:
    """The page that asks for the password. `asked` is what its forms carry along of a request that is not stored."""
    person = show.facts.account
    again = person if show.ask.reason.why in AGAIN else None
    hinted = again.username if again else show.interaction.request.login_hint or ""
    return pages.SignIn(
        action=f"{here}/password{asked}",
        purpose=purpose_of(show, policy, here),
        username=hinted if extra.username is None else extra.username,
        forgot=forgot,
        register=f"{forgot.removesuffix(FORGOT_PATH)}{REGISTER_PATH}" if forgot and policy.registration.open else None,
        saved=not _SAVED.isdisjoint(extra.problems),
        passkey=f"{here}/with-passkey{asked}",
        options=extra.options,
        cancel=f"{here}/cancel{asked}",
        wait=extra.wait,
        problems=extra.problems,
    )


def _second_factor(show: Show, policy: Policy, here: str, factor: Factor, extra: Extra) -> Page:
    others = tuple(_other(show, policy, here, other) for other in show.ask.factors if other is not factor)
    challenge = waiting(show, factor, policy)
    tries = extra.tries_left
    if tries is None and challenge is not None and challenge.alive(show.facts.now) and challenge.attempts:
        tries = challenge.max_attempts - challenge.attempts
    purpose, cancel, who = purpose_of(show, policy, here), f"{here}/cancel", who_of(show, here)
    again = None
    if factor not in SENT:
        if challenge is not None and challenge.stuck(show.facts.now):
            again = f"{here}/{factor.value}/send"
        elif tries == 0:
            tries = None  # said of the question before this one
    match factor:
        case Factor.TOTP:
            return pages.AuthenticatorCode(
                action=f"{here}/totp",
                purpose=purpose,
                who=who,
                strong=_nothing_less(show),
                has_phone=phone_of(show.loaded.authenticators) is not None,
                hold=policy.enrolment.hold,
                label=apps.label(show.loaded.authenticators),
                codes=apps.codes(show.loaded.authenticators),
                tries_left=tries,
                again=again,
                alternatives=others,
                cancel=cancel,
                wait=extra.wait,
                problems=apps.worded(extra.problems, show.loaded.authenticators),
            )
        case Factor.PASSKEY:
            return pages.UsePasskey(
                action=f"{here}/passkey",
                purpose=purpose,
                who=who,
                options=None if again else extra.options,
                strong=not SENT & set(show.ask.factors) and show.ask.reason.why is not Why.SIGN_IN,
                again=again,
                alternatives=others,
                cancel=cancel,
                wait=extra.wait,
                problems=extra.problems,
            )
        case Factor.RECOVERY:
            return pages.RecoveryCode(
                action=f"{here}/recovery",
                purpose=purpose,
                who=who,
                tries_left=tries,
                again=again,
                alternatives=others,
                cancel=cancel,
                wait=extra.wait,
                problems=extra.problems,
            )
        case Factor.SMS | Factor.EMAIL:
            page = pages.EmailCode if factor is Factor.EMAIL else pages.SmsCode
            phones = _other_phones(show, here, extra.to)
            return page(
                action=f"{here}/{factor.value}",
                purpose=purpose,
                who=who,
                hint=extra.to.hint if extra.to else "",
                resend=f"{here}/{factor.value}/send",
                valid_for=_valid_for(challenge, show, extra),
                asked=challenge is not None,
                resend_in=extra.resend_in,
                last_for=extra.last_for,
                tries_left=tries,
                delivery=extra.delivery,
                alternatives=(*phones, *others),
                cancel=cancel,
                wait=extra.wait,
                problems=extra.problems,
            )
        case Factor.PASSWORD:
            return sign_in(show, policy, here, extra)
        case _:
            assert_never(factor)


def _nothing_less(show: Show) -> bool:
    """Whether the page says that text messages still sign in: not to whoever forgot the password."""
    asks_for_app = not SENT & set(show.ask.factors) and show.ask.reason.why is not Why.SIGN_IN
    return asks_for_app and show.interaction.request.change is not Change.RESET_PASSWORD


def _other(show: Show, policy: Policy, here: str, factor: Factor) -> Alternative:
    account = show.facts.account
    address = account.mailbox if account is not None and factor is Factor.EMAIL else None
    page, challenge = f"{here}/{factor.value}", waiting(show, factor, policy)
    waits = challenge is not None and challenge.alive(show.facts.now)
    send = f"{page}/send" if factor in SENT and not waits else None
    return Alternative(factor, page, None if address is None else masked(address), send)


def _other_phones(show: Show, here: str, to: Destination | None) -> tuple[Alternative, ...]:
    """The other phones of who is asked for a code by text message."""
    if to is None or to.factor is not Factor.SMS:
        return ()
    page, theirs = f"{here}/{Factor.SMS.value}", phones_of(show.loaded.authenticators)
    return tuple(
        Alternative(Factor.SMS, page, each.hint, f"{page}/send", phone=str(each.id), label=each.label)
        for each in theirs
        if each.id != to.authenticator_id
    )


def _valid_for(challenge: Challenge | None, show: Show, extra: Extra) -> timedelta | None:
    # What was shown was loaded before this answer spent the last try: nothing is left to type a code into.
    if challenge is None or extra.tries_left == 0 or not challenge.alive(show.facts.now):
        return None
    return challenge.expires_at - show.facts.now


def _consent(show: Show, policy: Policy, here: str, extra: Extra) -> Page:
    return pages.Consent(
        action=f"{here}/consent",
        client_name=show.client.name,
        scopes=tuple(
            scope_line(scope, policy, new=scope not in show.facts.consented and bool(show.facts.consented))
            for scope in show.ask.scopes
        ),
        host=urlsplit(show.interaction.request.redirect_uri).hostname,
        logo=show.client.logo,
        who=who_of(show, here),
        problems=extra.problems,
    )


def _new_password(show: Show, here: str, extra: Extra) -> Page:
    assert show.facts.account is not None
    return pages.NewPassword(
        action=f"{here}/new-password",
        username=show.facts.account.username,
        least=MIN_CHARACTERS,
        given=True,
        cancel=f"{here}/cancel",
        wait=extra.wait,
        problems=extra.problems,
    )


def _select_account(show: Show, policy: Policy, here: str, extra: Extra) -> Page:
    person = show.facts.account
    choice = None if person is None else AccountChoice(str(person.id), person.username, person.name)
    refused = show.ask.reason.why is Why.NOT_IN_GROUP
    return pages.SelectAccount(
        action=f"{here}/account",
        purpose=purpose_of(show, policy, here),
        accounts=() if refused or choice is None else (choice,),
        cancel=f"{here}/cancel",
        refused=choice if refused else None,
        problems=extra.problems,
    )
