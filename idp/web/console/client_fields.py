"""The fields of an application's form: how each is shown, and what was typed into it, read. Nothing is judged here.

What is typed into a field is a text: of a list a line each, of a box "on" or nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from idp.catalogue import mark
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.registrations import ASSERTION_AUDIENCES, NewClient
from idp.model import AuthMethod, Client
from idp.oidc.keys import ALGORITHMS
from idp.oidc.strictjson import Malformed, parse_object
from idp.policy import Policy
from idp.sentences import sentence
from idp.web.door import Form
from idp.web.pages.console import NO, YES, Cell, Input
from idp.web.pages.registering import Fieldset

MOST_BOXES = 24  # of one field: a form has a hundred fields at most
_LISTS = frozenset({"redirect_uris", "post_logout_redirect_uris", "audience", "origins"})
_SETS = frozenset({"scopes", "grant_types", "groups", "details_types", "id_token_claims"})
_YES_OR_NO = frozenset({"first_party", "native", "require_pkce", "rotate_refresh", "require_pushed"})
_OR_NOTHING = frozenset({"home_uri", "userinfo_alg"})
_ONE_EACH = mark("One on each line.")
_METHODS = (
    (AuthMethod.BASIC.value, mark("A secret, as HTTP Basic (client_secret_basic)")),
    (AuthMethod.POST.value, mark("A secret, in the form (client_secret_post)")),
    (AuthMethod.PRIVATE_KEY_JWT.value, mark("A key of its own (private_key_jwt)")),
    (AuthMethod.NONE.value, mark("Nothing: it can keep no secret (none)")),
)
_GRANTS = (
    ("authorization_code", mark("Signs people in (authorization_code)")),
    ("refresh_token", mark("Keeps them signed in (refresh_token)")),
    ("client_credentials", mark("Acts for itself (client_credentials)")),
)

Values = Mapping[str, str]


def values_of(client: Client | NewClient) -> dict[str, str]:
    """What the form of a client has in its fields."""
    named = {each.name: getattr(client, each.name) for each in fields(NewClient) if hasattr(client, each.name)}
    if isinstance(client, Client):
        named |= {"auth_method": client.auth_method.value, "level": client.level.name.lower()}
    return {name: _text(value) for name, value in named.items()}


def _text(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "on"
        case str():
            return value
        case tuple() | list():
            return "\n".join(value)
        case frozenset():
            return "\n".join(sorted(value))
        case _:
            return json.dumps(value, indent=2, ensure_ascii=False)


def typed(form: Form, inputs: Iterable[Input]) -> dict[str, str]:
    """What was typed into these fields."""
    return {one.name: _typed(form, one) for one in inputs}


def _typed(form: Form, one: Input) -> str:
    if one.kind == "boxes":
        return "\n".join(value for value, _ in one.options if form.get(f"{one.name}-{value}"))
    return form.get(one.name).replace("\r\n", "\n")


def kept(inputs: Iterable[Input]) -> Sequence[tuple[str, str]]:
    """The same as hidden fields, to be sent once more."""
    sent: list[tuple[str, str]] = []
    for one in inputs:
        if one.kind == "boxes":
            sent += [(f"{one.name}-{value}", "on") for value in one.value.split("\n") if value]
        elif one.value:
            sent.append((one.name, one.value))
    return sent


def read(values: Values) -> dict[str, Any]:
    """These fields as `NewClient` takes them. Raises `NotAcceptable` for keys that are no JSON."""
    return {name: _read(name, value) for name, value in values.items()}


def _read(name: str, value: str) -> object:
    if name in _LISTS | _SETS:
        return tuple(dict.fromkeys(each for line in value.split("\n") if (each := line.strip())))
    if name in _YES_OR_NO:
        return bool(value)
    if name == "jwks":
        return _keys(value)
    return value.strip() or (None if name in _OR_NOTHING else "")


def _keys(value: str) -> dict[str, Any] | None:
    try:
        return parse_object(value) if value.strip() else None
    except Malformed:
        said = sentence('This is no JSON: a JWK Set begins with {"keys": [')
        raise NotAcceptable(said, fields=("jwks",)) from None


def changes(values: Values, client: Client) -> dict[str, Any]:
    """What is not as it is: the words of `edit_client`. Raises `NotAcceptable`."""
    there = read(values_of(client))
    wanted = read(values)
    if wanted.get("auth_method") != AuthMethod.PRIVATE_KEY_JWT:
        wanted.pop("jwks", None)  # keys are forgotten with the way that needed them
    return {name: value for name, value in wanted.items() if _plain(name, value) != _plain(name, there[name])}


def _plain(name: str, value: Any) -> object:  # noqa: ANN401 - of any field
    return frozenset(value) if name in _SETS else value


def with_values(inputs: Sequence[Fieldset], values: Values) -> Sequence[Fieldset]:
    """The same fields with other values in them."""
    return [
        Fieldset(one.heading, [replace(each, value=values.get(each.name, "")) for each in one.inputs]) for one in inputs
    ]


def in_order(wrong: Sequence[tuple[str, str]], parts: Sequence[Fieldset]) -> Sequence[tuple[str, str]]:
    """Mistakes in the order of the fields that they are in."""
    names = ["", *(one.name for part in parts for one in part.inputs)]
    return sorted(wrong, key=lambda each: names.index(each[0]) if each[0] in names else 0)


def fieldsets(policy: Policy, values: Values) -> Sequence[Fieldset]:
    """Every field that may be changed, with these values in it."""
    by_name = {one.name: one for one in _inputs(policy, values)}
    parts = (
        (mark("What people see"), ("name", "home_uri", "first_party")),
        (
            mark("Where people return to"),
            ("redirect_uris", "post_logout_redirect_uris", "origins", "native"),
        ),
        (mark("What it may ask for, and who may use it"), ("scopes", "details_types", "groups", "level")),
        (
            mark("How it authenticates"),
            ("auth_method", "jwks", "assertion_audience", "grant_types", "require_pkce", "require_pushed"),
        ),
        (
            mark("Its tokens"),
            ("audience", "id_token_claims", "rotate_refresh", "signing_alg", "userinfo_alg"),
        ),
    )
    return [Fieldset(heading, [by_name[name] for name in names if name in by_name]) for heading, names in parts]


def _inputs(policy: Policy, values: Values) -> Sequence[Input]:
    def text(name: str, label: str, hint: str = "", *, required: bool = False) -> Input:
        return Input(name, label, values.get(name, ""), hint, required=required)

    def lines(name: str, label: str, hint: str = _ONE_EACH, *, required: bool = False) -> Input:
        return Input(name, label, values.get(name, ""), hint, "textarea", required=required)

    def box(name: str, label: str, hint: str = "") -> Input:
        return Input(name, label, values.get(name, ""), hint, "checkbox")

    def choice(name: str, label: str, options: Sequence[tuple[str, str]], hint: str = "") -> Input:
        return Input(name, label, values.get(name, ""), hint, options=options)

    def boxes(name: str, label: str, offered: Iterable[str], hint: str = "") -> Input:
        there = dict.fromkeys((*offered, *filter(None, values.get(name, "").split("\n"))))
        if len(there) > MOST_BOXES:
            return lines(name, label)
        return Input(name, label, values.get(name, ""), hint, "boxes", [(each, each) for each in there])

    levels = [level.name.lower() for level in policy.levels]
    algorithms = [(each, each) for each in ALGORITHMS]
    found = [
        text("name", mark("Name"), mark("People see it where they sign in."), required=True),
        text("home_uri", mark("Home page"), mark("Where people begin to use it: a link on their account page.")),
        box("first_party", mark("Ours, so nobody is asked to agree")),
        lines(
            "redirect_uris",
            mark("Redirect URIs"),
            mark("Where people come back to; one on each line."),
            required="authorization_code" in (values.get("grant_types") or "authorization_code"),
        ),
        lines("post_logout_redirect_uris", mark("After signing out")),
        lines(
            "origins",
            mark("Origins"),
            mark("Where its pages in a browser live, one on each line. Empty: the origins of its redirect URIs."),
        ),
        box("native", mark("An app on a phone or a computer"), mark("Schemes of its own, and any port on loopback.")),
        boxes("scopes", mark("Scopes"), (name for name, row in policy.scopes.items() if not row.internal)),
        boxes("groups", mark("For groups"), policy.groups, mark("None: it is for everybody.")),
        choice(
            "level",
            mark("Signing in takes at least"),
            [(each, each) for each in dict.fromkeys((*levels, values.get("level") or levels[0]))],
        ),
        choice("auth_method", mark("Authenticates with"), _METHODS),
        Input(
            "jwks",
            mark("Its public keys"),
            values.get("jwks", ""),
            mark("A JWK Set, for a key of its own."),
            "textarea",
        ),
        choice(
            "assertion_audience",
            mark("Its assertions are for"),
            [(each, each) for each in ASSERTION_AUDIENCES],
            mark("Any of our addresses, or the issuer alone (FAPI 2.0)."),
        ),
        Input("grant_types", mark("Grant types"), values.get("grant_types", ""), kind="boxes", options=_GRANTS),
        box("require_pkce", mark("PKCE required")),
        box("require_pushed", mark("Pushed requests alone are taken (RFC 9126)")),
        lines("audience", mark("Audience"), mark("Resource servers its access tokens are for, one on each line.")),
        lines(
            "id_token_claims",
            mark("Claims in the ID token, too"),
            mark("For applications that never ask userinfo; one on each line, such as email."),
        ),
        box("rotate_refresh", mark("Refresh tokens change at each use")),
        choice("signing_alg", mark("Signature algorithm"), algorithms),
        choice("userinfo_alg", mark("Signature of userinfo"), [("", mark("None: plain JSON")), *algorithms]),
    ]  # fmt: skip
    if policy.details or values.get("details_types"):
        found.append(boxes("details_types", mark("What people may be asked to approve"), policy.details))
    return found


def cells(one: Input) -> Sequence[Cell]:
    """What a field says: a box yes or no, a choice its words, lines one below the other."""
    if one.kind == "checkbox":
        return (Cell(YES if one.value else NO, ours=True),)
    words = {value: text for value, text in one.options if value != text}
    if one.value in words:
        return (Cell(words[one.value], ours=True),)
    return [Cell(words.get(line, line), ours=line in words) for line in one.value.split("\n") if line]
