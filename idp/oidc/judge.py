"""Authlib's rules as pure functions: the facts go in with the request, its refusals come out as ours.

Authlib judges what it judges rightly: response types, PKCE, redirect URI and ownership of codes and refresh tokens,
narrowing of scopes. The rest, and why, stands in the modules that call this one. Nothing is saved or generated here.
"""

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, TokenMixin
from authlib.oauth2.rfc6749.errors import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin

from idp.model import AuthMethod, AuthorizationCode, Client, Grant, RefreshToken
from idp.oidc import redirects
from idp.oidc.errors import judged
from idp.oidc.params import Params


class _Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A client as Authlib asks about it. It has authenticated already, in `client_auth`."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        return self.client.id

    def get_default_redirect_uri(self) -> None:
        """None: a redirect_uri is always asked for and always compared (OIDC Core 3.1.2.1)."""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirects.is_registered(redirect_uri, self.client.redirect_uris, native=self.client.native)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.client.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.client.grant_types

    def get_allowed_scope(self, scope: str | None) -> str:
        """All of it: `request` has dropped what this client may not ask for, Authlib would refuse the whole."""
        return scope or ""


class _Request(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request that carries its facts. The URI is not looked at: TLS is the proxy's and the settings' affair."""

    def __init__(self, params: Params, client: Client, fact: "_Code | _Refresh | None" = None) -> None:
        super().__init__("POST", "https://provider.invalid/")
        self.payload = BasicOAuth2Payload(params)
        self.client = _Client(client)
        self.auth_method = client.auth_method.value
        self.user = self.client
        self.fact = fact

    @property
    def form(self) -> Params:
        params: Params = self.payload.data
        return params


class _Code(AuthorizationCodeMixin):  # type: ignore[misc]  # Authlib has no types
    code_challenge_method = "S256"

    def __init__(self, code: AuthorizationCode) -> None:
        self.code_challenge = code.code_challenge
        self.redirect_uri = code.redirect_uri
        self.grant = code.grant

    def get_redirect_uri(self) -> str:
        return self.redirect_uri


class _Refresh(TokenMixin):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, token: RefreshToken) -> None:
        self.grant = token.grant

    def check_client(self, client: _Client) -> bool:
        return self.grant.client_id == client.get_client_id()

    def get_scope(self) -> str:
        return " ".join(self.grant.scopes)


class _Pkce(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """Proof Key for Code Exchange with S256 only. Authlib alone would accept plain, and an absent method as plain."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def __init__(self, *, required: bool) -> None:
        super().__init__(required=False)
        self.wanted = required

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        # RFC 9700 2.1.1: public clients MUST use PKCE
        if self.wanted and "code_challenge" not in asked:
            raise InvalidRequestError("PKCE is required: send code_challenge with code_challenge_method=S256.")
        # RFC 7636 4.3: an absent method means plain, which RFC 9700 2.1.1 advises against
        if "code_challenge" in asked and asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("code_challenge_method must be S256.")
        super().validate_code_challenge(grant, redirect_uri)

    def validate_code_verifier(self, grant: AuthorizationCodeGrant, result: object) -> None:
        # a code that was issued without a challenge, before the client was told to use PKCE
        if self.wanted and not grant.request.authorization_code.code_challenge:
            raise InvalidGrantError("The code was issued without a code_challenge.")
        try:
            super().validate_code_verifier(grant, result)
        except InvalidRequestError as error:
            # RFC 7636 4.6 and RFC 9700 4.8.2 leave the code open; one answer tells an attacker less
            raise InvalidGrantError(error.description) from None


class _CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    def query_authorization_code(self, _code: str, client: _Client) -> _Code | None:
        """The code that the flow found, if it is this client's (RFC 6749 4.1.3)."""
        fact: _Code = self.request.fact
        return fact if fact.grant.client_id == client.get_client_id() else None


class _RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    def authenticate_refresh_token(self, _refresh_token: str) -> _Refresh:
        """The refresh token that the flow found; Authlib asks it whose it is."""
        fact: _Refresh = self.request.fact
        return fact


class _Server(AuthorizationServer):  # type: ignore[misc]  # Authlib has no types
    """Knows one client: the one that the request carries."""

    def __init__(self, request: _Request) -> None:
        super().__init__()
        self.request = request

    def query_client(self, _client_id: str) -> _Client:
        client: _Client = self.request.client
        return client

    def authenticate_client(self, request: _Request, _methods: object, _endpoint: str = "token") -> _Client:
        """The client of this request: `client_auth` has authenticated it before the database was asked."""
        client: _Client = request.client
        return client

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """No signals."""


def authorization(params: Params, *, client: Client) -> None:
    """Refuse a wrong response_type and wrong PKCE. client_id, redirect_uri and characters must be proved before."""
    request = _Request(params, client)
    server = _Server(request)
    required = client.require_pkce or client.auth_method is AuthMethod.NONE
    server.register_grant(_CodeGrant, [_Pkce(required=required)])
    with judged("Only response_type=code is supported."):
        server.get_consent_grant(request, end_user=request.user)


def code(stored: AuthorizationCode, params: Params, *, client: Client) -> Grant:
    """The grant, if code, redirect_uri, client and code_verifier belong together (RFC 6749 4.1.3, RFC 7636 4.6)."""
    request = _Request(params, client, _Code(stored))
    grant = _CodeGrant(request, _Server(request))
    _Pkce(required=client.require_pkce or client.auth_method is AuthMethod.NONE)(grant)
    with judged("The authorization code is not valid."):
        grant.validate_token_request()
    return stored.grant


def refresh(stored: RefreshToken, params: Params, *, client: Client) -> Grant:
    """The grant, if the token is this client's and `scope` asks for no more than was granted (RFC 6749 6)."""
    request = _Request(params, client, _Refresh(stored))
    with judged("The refresh token is not valid."):
        _RefreshGrant(request, _Server(request)).validate_token_request()
    return stored.grant
