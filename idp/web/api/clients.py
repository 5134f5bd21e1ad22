"""Applications by the API: registered, changed, given another secret, removed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from idp.flows.operate.client_changes import edit_client, version_of
from idp.flows.operate.clients import Registered, add_client, explain_client, remove_client, set_client_disabled
from idp.flows.operate.finding import client_page
from idp.flows.operate.registrations import NewClient, parse
from idp.flows.operate.secrets import LONGEST_KEPT, end_old_secret, new_client_secret
from idp.policy import Act
from idp.web.api.client_shapes import (
    ClientChanged,
    ClientExplained,
    Clients,
    ClientSecret,
    ClientShown,
    Jwks,
    shown,
)
from idp.web.api.endpoints import Asked, Body, Done, Endpoint, Ends, Paged, Text, Words, given
from idp.web.api.reading import invalid


class ClientChanges(Body, frozen=True, kw_only=True):
    """What a client is registered with. What is left out stays as it is, or is as `idp client add` has it."""

    name: Text | UnsetType = UNSET
    redirect_uris: Words | UnsetType = UNSET
    post_logout_redirect_uris: Words | UnsetType = UNSET
    scopes: Words | UnsetType = UNSET
    grant_types: Words | UnsetType = UNSET
    auth_method: Text | UnsetType = UNSET
    jwks: Jwks | UnsetType = UNSET
    public: bool | UnsetType = UNSET
    first_party: bool | UnsetType = UNSET
    native: bool | UnsetType = UNSET
    require_pkce: bool | UnsetType = UNSET
    rotate_refresh: bool | UnsetType = UNSET
    signing_alg: Text | UnsetType = UNSET
    userinfo_alg: Text | UnsetType | None = UNSET
    assertion_audience: Text | UnsetType = UNSET
    audience: Words | UnsetType = UNSET
    id_token_claims: Words | UnsetType = UNSET
    groups: Words | UnsetType = UNSET
    origins: Words | UnsetType = UNSET
    home_uri: Text | UnsetType | None = UNSET
    details_types: Words | UnsetType = UNSET
    require_pushed: bool | UnsetType = UNSET
    level: Text | UnsetType = UNSET


class NewClientGiven(ClientChanges, frozen=True, kw_only=True):
    """A client to register."""

    name: Text
    client_id: Text | UnsetType = UNSET


class NewSecret(Body, frozen=True, kw_only=True):
    """Whether the secret before works for a while, too."""

    keep_old_seconds: (
        Annotated[int, msgspec.Meta(ge=1, le=int(LONGEST_KEPT.total_seconds()), description="None: it stops at once.")]
        | None
    ) = None


class ClientSearch(Paged, frozen=True, kw_only=True):
    """Which clients."""

    search: Annotated[str, msgspec.Meta(max_length=200, description="Part of a name or a client id.")] = ""


def _plain(members: Mapping[str, Any]) -> dict[str, Any]:
    """As `NewClient` takes it."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in members.items()}


async def _judge_new(asked: Asked) -> None:
    parse(NewClient(**{"name": "?", **_plain(asked.body)}), asked.idp.policy)


async def _judge_changes(asked: Asked) -> None:
    await edit_client(asked.idp, asked.client_id, _plain(asked.body), dry_run=True)


async def _list(asked: Asked) -> Done:
    query: ClientSearch = asked.query
    page = await client_page(asked.idp, containing=query.search, after=query.after, limit=query.limit)
    return Done(Clients(clients=[ClientShown(**shown(one)) for one in page.clients], total=page.count, next=page.after))


async def _add(asked: Asked) -> Done:
    registered = await add_client(asked.idp, NewClient(**_plain(given(asked.body))))
    return _secret(registered, at=f"/clients/{registered.client.id}")


def _secret(registered: Registered, *, at: str | None = None) -> Done:
    body = ClientSecret(**shown(registered.client), client_secret=registered.secret)
    return Done(body, etag=version_of(registered.client), at=at)


async def _show(asked: Asked) -> Done:
    client, left_out = await explain_client(asked.idp, asked.client_id)
    return Done(ClientExplained(**shown(client), left_out=left_out), etag=version_of(client))


async def _change(asked: Asked) -> Done:
    changes = _plain(given(asked.body))
    if not changes:
        raise invalid("Say what to change.")
    done = await edit_client(asked.idp, asked.client_id, changes, expected=asked.expected)
    body = ClientChanged(
        **shown(done.after),
        changed=list(done.changed),
        consequences=list(done.consequences),
        client_secret=done.secret,
    )
    return Done(body, etag=version_of(done.after))


async def _would_change(asked: Asked) -> Done:
    done = await edit_client(asked.idp, asked.client_id, _plain(given(asked.body)), dry_run=True)
    body = ClientChanged(**shown(done.after), changed=list(done.changed), consequences=list(done.consequences))
    return Done(body)


async def _new_secret(asked: Asked) -> Done:
    body: NewSecret = asked.body
    keep = None if body.keep_old_seconds is None else timedelta(seconds=body.keep_old_seconds)
    return _secret(await new_client_secret(asked.idp, asked.client_id, keep_old=keep))


async def _end_old_secret(asked: Asked) -> Done:
    await end_old_secret(asked.idp, asked.client_id)
    return Done()


async def _disable(asked: Asked) -> Done:
    await set_client_disabled(asked.idp, asked.client_id, disabled=True)
    return await _show(asked)


async def _enable(asked: Asked) -> Done:
    await set_client_disabled(asked.idp, asked.client_id, disabled=False)
    return await _show(asked)


async def _ends(asked: Asked) -> Done:
    return Done(Ends(consequences=list((await remove_client(asked.idp, asked.client_id, dry_run=True)).consequences)))


async def _remove(asked: Asked) -> Done:
    await remove_client(asked.idp, asked.client_id, expected=asked.expected)
    return Done()


_ONE = "/clients/{client_id}"
_SEE, _CHANGE = Act.SEE_CLIENTS, Act.CHANGE_CLIENTS
_SECRET = ("client_secret",)

ENDPOINTS = (
    Endpoint(
        "GET", "/clients", "list_clients", _SEE, _list, "Applications by name", query=ClientSearch, answers=Clients
    ),
    Endpoint(
        "POST",
        "/clients",
        "add_client",
        _CHANGE,
        _add,
        "Register an application",
        takes=NewClientGiven,
        judges=_judge_new,
        answers=ClientSecret,
        status=201,
        secrets=_SECRET,
        versioned=True,
    ),
    Endpoint("GET", _ONE, "show_client", _SEE, _show, "An application", answers=ClientExplained, versioned=True),
    Endpoint(
        "PATCH",
        _ONE,
        "edit_client",
        _CHANGE,
        _change,
        "Change an application",
        "What is left out stays. The answer says what follows.",
        takes=ClientChanges,
        judges=_judge_changes,
        answers=ClientChanged,
        secrets=_SECRET,
        versioned=True,
        guarded=True,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/consequences",
        "try_client_changes",
        _CHANGE,
        _would_change,
        "What would follow from a change",
        "Nothing is changed.",
        takes=ClientChanges,
        judges=_judge_changes,
        answers=ClientChanged,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/secret",
        "new_client_secret",
        _CHANGE,
        _new_secret,
        "Give an application another secret",
        "The one before stops working at once, or after the time that is said.",
        takes=NewSecret,
        answers=ClientSecret,
        secrets=_SECRET,
    ),
    Endpoint("DELETE", f"{_ONE}/secret/old", "end_old_secret", _CHANGE, _end_old_secret, "End the secret before"),
    Endpoint(
        "POST", f"{_ONE}/disable", "disable_client", _CHANGE, _disable, "Refuse all it asks", answers=ClientExplained
    ),
    Endpoint("POST", f"{_ONE}/enable", "enable_client", _CHANGE, _enable, "Answer it again", answers=ClientExplained),
    Endpoint("GET", f"{_ONE}/removal", "try_client_removal", _CHANGE, _ends, "What a removal would end", answers=Ends),
    Endpoint(
        "DELETE",
        _ONE,
        "remove_client",
        _CHANGE,
        _remove,
        "Remove an application",
        "Its consents and grants go with it: its tokens are worth nothing from then on.",
        versioned=True,
    ),
)
