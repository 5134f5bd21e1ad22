"""The authorization request: parameters in, a valid `AuthorizationRequest` or a refusal out. No session, no policy."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from joserfc.util import urlsafe_b64decode

from idp.errors import OAuthError
from idp.model import AuthorizationRequest, ClaimsRequest, Client, Prompt, ResponseMode
from idp.oidc import claims, grants, hints, judge, redirects
from idp.oidc.answer import fits
from idp.oidc.details import PARAMETER as DETAILS
from idp.oidc.details import parse as parse_details
from idp.oidc.errors import PageError, RedirectError
from idp.oidc.jws import Untrusted
from idp.oidc.keys import KeyRing
from idp.oidc.params import Params, collect, refusal
from idp.oidc.strictjson import Malformed, parse_object
from idp.policy import DetailsRule

ClientLookup = Callable[[str], Client | None]

_SCOPE = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")  # RFC 6749 3.3
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # RFC 7636 4.2: base64url of a SHA-256, never padded
_RESPONSE_TYPE = re.compile(r"[A-Za-z0-9_]+(?: [A-Za-z0-9_]+)*")  # RFC 6749 A.3
_MAX_AGE = re.compile(r"[0-9]{1,10}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*")  # RFC 5646 2.1, roughly
_NOT_SUPPORTED = {
    "request": "request_not_supported",  # OIDC Core 3.1.2.6, 6.1
    "request_uri": "request_uri_not_supported",  # 6.2
    "registration": "registration_not_supported",  # 7.2.1
}


@dataclass(frozen=True, slots=True)
class _Proved:
    """Where the answer to this request goes, whatever else is wrong with it."""

    client: Client
    redirect_uri: str
    state: str | None
    response_mode: ResponseMode
    fragment: bool

    def refuse(self, error: OAuthError) -> RedirectError:
        return RedirectError(
            error.code,
            error.description,
            redirect_uri=self.redirect_uri,
            state=self.state,
            response_mode=self.response_mode,
            fragment=self.fragment,
            detail=error.detail,
        )


def parse(
    pairs: Iterable[tuple[str, str]],
    *,
    client_lookup: ClientLookup,
    issuer: str,
    known_scopes: frozenset[str],
    acr_supported: Iterable[str],
    keys: KeyRing,
    details_rules: Mapping[str, DetailsRule] = MappingProxyType({}),
    pushed: bool = False,
) -> AuthorizationRequest:
    """A valid request, whose client and redirect_uri are registered and whose every value has been checked.

    `pairs` are the decoded parameters as they came, repeated ones too. Raises `PageError` while client_id or
    redirect_uri is not proved, whatever else is wrong, and `RedirectError` after (RFC 6749 4.1.2.1). `pushed`: the
    client pushed it, after it proved who it is (RFC 9126 2.1).
    """
    collected = collect(pairs)
    params, unusable = collected.values, collected.unusable
    proved = _prove(params, unusable, client_lookup)
    if proved.response_mode is ResponseMode.QUERY and not fits(proved.redirect_uri, proved.state, issuer=issuer):
        # RFC 6749 4.1.2.1: an error must carry the state, so that would not fit either
        raise PageError("invalid_request", "state is too long for an address; response_mode=form_post has room for it.")
    try:
        for name, reason in unusable.items():
            raise refusal(name, reason)
        return _read(
            params,
            proved,
            issuer=issuer,
            known_scopes=known_scopes,
            acr_supported=tuple(acr_supported),
            keys=keys,
            details_rules=details_rules,
            pushed=pushed,
        )
    except OAuthError as error:
        raise proved.refuse(error) from None


def refuse_unknown(params: Params, *, client: Client, error: OAuthError) -> PageError | RedirectError:
    """The error of a request of which nothing is known but what stands beside it, its redirect_uri perhaps."""
    try:
        return _prove(params, {}, {client.id: client}.get).refuse(error)
    except PageError:
        return PageError(error.code, error.description)


def _prove(params: Params, unusable: Mapping[str, str], client_lookup: ClientLookup) -> _Proved:
    for name in ("client_id", "redirect_uri"):
        if name not in params:
            raise PageError("invalid_request", f"{name} {unusable.get(name, 'is missing')}.")
    client = client_lookup(params["client_id"])
    if client is None or client.disabled:
        raise PageError("invalid_request", "client_id names no client of this provider.")
    redirect_uri = params["redirect_uri"]
    if not redirects.is_registered(redirect_uri, client.redirect_uris, native=client.native):
        raise PageError("invalid_request", "redirect_uri is not registered for this client.")
    # nothing else in a request object counts, but its refusal goes where it asks for the answer (OIDC Core 6.1)
    mode = params.get("response_mode") or (_mode_within(params["request"]) if "request" in params else None)
    implicit = {"token", "id_token"} & set(params.get("response_type", "").split(" "))
    return _Proved(
        client=client,
        redirect_uri=redirect_uri,
        state=params.get("state"),
        response_mode=ResponseMode.FORM_POST if _may_post(mode, redirect_uri) else ResponseMode.QUERY,
        # RFC 6749 4.2.2.1, Multiple Response Types 3 and 5: where the answer would have gone, the error goes
        fragment=bool(implicit) and mode in {None, "fragment"},
    )


def _mode_within(request_object: str) -> str | None:
    _, _, rest = request_object.partition(".")
    try:
        # RFC 7515 7.1: the middle part of a JWS, signed or not (RFC 7519 6)
        mode = parse_object(urlsafe_b64decode(rest.partition(".")[0].encode("ascii"))).get("response_mode")
    except ValueError:
        return None
    return mode if isinstance(mode, str) else None


def _may_post(mode: str | None, redirect_uri: str) -> bool:
    # a form that posts to another scheme is not a web form; Authlib refuses it too
    return mode == ResponseMode.FORM_POST and redirect_uri.startswith(("https://", "http://"))


def _read(
    params: Params,
    proved: _Proved,
    *,
    issuer: str,
    known_scopes: frozenset[str],
    acr_supported: tuple[str, ...],
    keys: KeyRing,
    details_rules: Mapping[str, DetailsRule],
    pushed: bool,
) -> AuthorizationRequest:
    # RFC 9126 6: a client that said so is served by pushed requests alone
    if proved.client.require_pushed and not pushed:
        raise OAuthError("invalid_request", "This client must push its requests to the /par endpoint (RFC 9126).")
    details = None
    if DETAILS in params:
        details = parse_details(params[DETAILS], client=proved.client, rules=details_rules, pushed=pushed)
    for name, code in _NOT_SUPPORTED.items():
        if name in params:
            raise OAuthError(code, f"The parameter {name} is not supported.")
    _check_response(params, proved)
    grants.check_resource(params, client=proved.client, issuer=issuer)
    prompts = _prompts(params)
    return AuthorizationRequest(
        client_id=proved.client.id,
        redirect_uri=proved.redirect_uri,
        scopes=_scopes(params, proved.client, known_scopes, approval=details is not None),
        state=proved.state,
        nonce=params.get("nonce"),
        code_challenge=params.get("code_challenge"),
        response_mode=proved.response_mode,
        prompts=prompts,
        max_age=_max_age(params),
        # values unknown to us are ignored unless essential
        acr_values=tuple(dict.fromkeys(v for v in params.get("acr_values", "").split() if v in acr_supported)),
        claims=_claims(params, known_scopes & proved.client.scopes),
        login_hint=params.get("login_hint"),
        hint_subject=_hint_subject(params, proved.client, issuer, keys),
        ui_locales=tuple(v for v in params.get("ui_locales", "").split()[:10] if _LOCALE.fullmatch(v)),
        details=details,
        pushed=pushed,
    )


def _check_response(params: Params, proved: _Proved) -> None:
    mode = params.get("response_mode")
    if mode is not None and mode != proved.response_mode and not proved.fragment:
        raise OAuthError("invalid_request", "response_mode must be query or, for http and https, form_post.")
    response_type = params.get("response_type")
    # RFC 6749 3.1.1, 4.1.2.1
    if response_type is None:
        raise OAuthError("invalid_request", "response_type is missing.")
    # Authlib repeats the value in its description and fails on characters that a description may not hold
    if not _RESPONSE_TYPE.fullmatch(response_type):
        raise OAuthError("unsupported_response_type", "Only response_type=code is supported.")
    if "code_challenge" in params and not _CHALLENGE.fullmatch(params["code_challenge"]):
        raise OAuthError("invalid_request", "code_challenge is not the base64url of a SHA-256 digest.")
    judge.authorization(params, client=proved.client)


def _scopes(params: Params, client: Client, known: frozenset[str], *, approval: bool) -> tuple[str, ...]:
    asked, allowed = params.get("scope", ""), known & client.scopes
    # RFC 9396 3: details may stand alone
    if approval and "scope" not in params:
        return ()
    # RFC 6749 3.3: without a default scope the request MUST fail
    if not _SCOPE.fullmatch(asked):
        raise OAuthError("invalid_scope", "scope is missing or malformed.")
    # OIDC Core 11: without prompt=consent too, since the operator registered it; whether consent is due, policy says
    # One approval is one access token: nothing comes back for more of it
    if "refresh_token" not in client.grant_types or approval:
        allowed -= {"offline_access"}
    scopes = tuple(dict.fromkeys(scope for scope in asked.split(" ") if scope in allowed))
    if not scopes:
        raise OAuthError("invalid_scope", "None of the requested scopes is available to this client.")
    return scopes


def _prompts(params: Params) -> frozenset[Prompt]:
    asked = params.get("prompt", "").split()
    # Initiating User Registration 4: unknown values are invalid_request; prompt_values_supported lists ours
    if not set(asked) <= set(Prompt):
        raise OAuthError("invalid_request", "prompt has a value that is not supported.")
    prompts = frozenset(map(Prompt, asked))
    # OIDC Core 3.1.2.1
    if Prompt.NONE in prompts and len(prompts) > 1:
        raise OAuthError("invalid_request", "prompt=none stands alone.")
    return prompts


def _max_age(params: Params) -> timedelta | None:
    text = params.get("max_age")
    if text is None:
        return None
    # int() would take "1_0", " 10 " and full-width digits
    if not _MAX_AGE.fullmatch(text):
        raise OAuthError("invalid_request", "max_age is not a number of seconds.")
    return timedelta(seconds=int(text))


def _claims(params: Params, scopes: frozenset[str]) -> ClaimsRequest:
    if "claims" not in params:
        return ClaimsRequest()
    try:
        return claims.parse(params["claims"], scopes=scopes)
    except Malformed as error:
        raise OAuthError("invalid_request", f"claims: {error}.") from None


def _hint_subject(params: Params, client: Client, issuer: str, keys: KeyRing) -> str | None:
    if "id_token_hint" not in params:
        return None
    try:
        hint = hints.read(params["id_token_hint"], keys=keys, issuer=issuer)
    except Untrusted as error:
        raise OAuthError("invalid_request", "id_token_hint is not an ID token of ours.", detail=str(error)) from None
    if hint.client_id != client.id:
        raise OAuthError("invalid_request", "id_token_hint was issued to another client.")
    return hint.subject
