"""A registered client, changed: what may change is what may be registered, and what follows is said."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from idp.audit import ClientChanged
from idp.crypto import digest, random_token
from idp.errors import IdpError, Outdated
from idp.flows.idp import Idp
from idp.flows.operate.confirming import confirmed_client
from idp.flows.operate.finding import find_client
from idp.flows.operate.permitting import permit
from idp.flows.operate.registrations import WITH_SECRET, NewClient, parse
from idp.model import AuthMethod, Client
from idp.policy import Act
from idp.sentences import either, sentence
from idp.store import audits
from idp.store.tokens import clients

# What a change of its registration leaves alone, and never tells.
_SECRETS = ("secret_hash", "old_secret_hash", "old_secret_until", "old_secret_used_at")
_KEPT = (*_SECRETS, "logo", "disabled")


@dataclass(frozen=True, slots=True)
class ChangedClient:
    """A client before and after, what follows from it, and a new secret where it needs one."""

    before: Client
    after: Client
    consequences: tuple[str, ...]
    secret: str | None = field(default=None, repr=False)

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """The fields that are not what they were, with both values."""
        names = (each.name for each in fields(Client) if each.name != "id" and each.name not in _KEPT)
        both = ((name, getattr(self.before, name), getattr(self.after, name)) for name in names)
        return {name: (old, new) for name, old, new in both if old != new}


def version_of(client: Client) -> str:
    """A short name for how a client is registered now: another one as soon as anything but its secret is changed."""
    told = {each.name: getattr(client, each.name) for each in fields(Client) if each.name not in _SECRETS}
    told = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in told.items()}
    return digest(json.dumps(told, sort_keys=True)).hex()[:16]


def as_seen(client: Client, expected: str | None) -> None:
    """Go on if the client, locked, is as the operator saw it. Raises `Outdated`."""
    if expected is not None and expected != version_of(client):
        raise Outdated(
            sentence("Somebody else changed %(client)s meanwhile: look at it again, then go on.", client=client.name)
        )


async def edit_client(
    idp: Idp,
    name_or_id: str,
    changes: Mapping[str, Any],
    *,
    expected: str | None = None,
    dry_run: bool = False,
    secret: str | None = None,
) -> ChangedClient:
    """Change these fields of `NewClient`; every process hears of it. Raises what `add_client` does, and `NotThere`.

    The client id stays, and so does the secret as long as the client authenticates by one. `expected` is the version
    that the operator saw: if it is another now, and not yet as they want it, `Outdated` is raised. A `dry_run` changes
    nothing and shows no secret.
    `secret` is the one that it gets where it needs one: of full entropy, or None for a random one.
    """
    found = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        # Two operators at once: the second changes what the first made of it.
        before = await confirmed_client(conn, idp, found, to=Act.CHANGE_CLIENTS)
        try:
            after = parse(_described(before, changes), idp.policy, kept=before)
        except IdpError:
            as_seen(before, expected)  # it may be wrong only beside what somebody else made of it
            raise
        permit(idp, Act.CHANGE_CLIENTS, scopes=after.scopes)
        after = replace(after, **{name: getattr(before, name) for name in _KEPT})
        if after != before:  # RFC 9110, 13.1.1: what is applied already, as by the first of two presses, is done
            as_seen(before, expected)
        given, secret = secret, None
        if after.auth_method not in WITH_SECRET:
            after = replace(
                after, secret_hash=None, old_secret_hash=None, old_secret_until=None, old_secret_used_at=None
            )
        elif after.secret_hash is None:
            secret = given or random_token()
            after = replace(after, secret_hash=digest(secret))
        done = ChangedClient(before, after, tuple(_consequences(before, after)), None if dry_run else secret)
        if done.changed and not dry_run:
            await clients.change(conn, after)
            what = ClientChanged(change=f"changed {', '.join(done.changed)}")
            await audits.add(conn, what, now=now, client_id=after.id)
    return done


def _described(client: Client, changes: Mapping[str, Any]) -> NewClient:
    """The client as an operator would describe it, with the changes in it."""
    same = {each.name: getattr(client, each.name) for each in fields(NewClient) if hasattr(client, each.name)}
    same["level"] = client.level.name.lower()
    same |= {name: tuple(sorted(value)) for name, value in same.items() if isinstance(value, frozenset)}
    new = NewClient(**{**same, "client_id": client.id, "auth_method": client.auth_method.value, **changes})
    if "auth_method" not in changes and (new.public or "jwks" in changes):
        new = replace(new, auth_method=None)
    if "jwks" not in changes and (new.public or new.auth_method != AuthMethod.PRIVATE_KEY_JWT):
        new = replace(new, jwks=None)
    if "grant_types" not in changes and "offline_access" in set(new.scopes) - client.scopes:
        new = replace(new, grant_types=(*new.grant_types, "refresh_token"))
    return new


def _consequences(before: Client, after: Client) -> Iterator[str]:
    """What people and the application notice, one sentence each."""
    yield from _to_authenticate(before, after)
    if gone := _less(before.redirect_uris, after.redirect_uris):
        yield sentence("Sign-ins that name %(uris)s are refused.", uris=gone)
    if gone := _less(before.post_logout_redirect_uris, after.post_logout_redirect_uris):
        yield sentence("Sign-outs that name %(uris)s are refused.", uris=gone)
    yield from _of_scopes(before, after)
    if gone := _less(before.details_types, after.details_types):
        yield sentence("It cannot ask for approval of %(types)s any more.", types=gone)
    if more := _less(after.details_types, before.details_types):
        yield sentence("It may ask people to approve %(types)s, each by itself.", types=more)
    if after.require_pushed is not before.require_pushed:
        yield (
            sentence("Only requests that it pushes to /par are taken from now on (RFC 9126).")
            if after.require_pushed
            else sentence("It need not push its requests any more, but for those with an amount.")
        )
    if "refresh_token" in before.grant_types - after.grant_types:
        yield sentence("The refresh tokens that it holds are refused.")
    yield from _of_people(before, after)
    if after.signing_alg != before.signing_alg:
        yield sentence(
            "Its next tokens are signed with %(alg)s: it must take the key that the token names.", alg=after.signing_alg
        )
    if after.audience != before.audience:
        whom = " ".join(after.audience) or sentence("this provider alone")
        yield sentence("Its next access tokens are for %(whom)s; those that it holds stay as they are.", whom=whom)
    if after.rotate_refresh is not before.rotate_refresh:
        yield (
            sentence("Its refresh tokens change at each use.")
            if after.rotate_refresh
            else sentence("Its refresh tokens stay the same at each use.")
        )
    if after.home_uri != before.home_uri:
        yield (
            sentence("People find it on their account page.")
            if after.home_uri
            else sentence("People find it on their account page only while they use it.")
        )
    if after.name != before.name:
        yield sentence("People see the name %(name)s; what they agreed to stays.", name=repr(after.name))


def _of_people(before: Client, after: Client) -> Iterator[str]:
    if after.first_party is not before.first_party:
        yield (
            sentence("People are not asked for consent any more.")
            if after.first_party
            else sentence("People are asked for consent.")
        )
    if after.groups != before.groups:
        yield (
            sentence(
                "It is for members of %(groups)s alone, at sign-in and at each refresh.",
                groups=either(sorted(after.groups)),
            )
            if after.groups
            else sentence("It is for everybody, at sign-in and at each refresh.")
        )
    if after.level is not before.level:
        level = after.level.name.lower()
        yield (
            sentence(
                "Whoever signs in to it proves %(level)s; refresh tokens of those who proved less are refused.",
                level=level,
            )
            if after.level > before.level
            else sentence(
                "Signing in to it takes %(level)s, beside what its scopes and the person's groups need.", level=level
            )
        )


def _to_authenticate(before: Client, after: Client) -> Iterator[str]:
    if after.auth_method is not before.auth_method:
        if after.auth_method is AuthMethod.NONE:
            yield sentence("It is a public client from now on: it shows nothing but its client id, and PKCE.")
        else:
            yield sentence(
                "It authenticates by %(method)s from now on; every other way is refused.",
                method=after.auth_method.value,
            )
        if before.secret_hash is not None and after.secret_hash is None:
            yield sentence("Its secret is forgotten.")
        if before.secret_hash is None and after.secret_hash is not None:
            yield sentence("It gets a secret, which is shown once.")


def _of_scopes(before: Client, after: Client) -> Iterator[str]:
    if gone := _less(before.scopes, after.scopes):
        yield sentence(
            "It gets no %(scopes)s any more, at a refresh neither; access tokens that it holds last to their end.",
            scopes=gone,
        )
    if "openid" in before.scopes - after.scopes and "authorization_code" in after.grant_types:
        yield sentence(
            "Without openid it gets no ID token, so it signs nobody in.",
            at_shell="Without openid it gets no ID token, so it signs nobody in; to keep it, name it too:"
            " --scope openid.",
        )
    if new := _less(after.scopes, before.scopes):
        yield (
            sentence("It may ask for %(scopes)s from the next sign-in on, and nobody is asked.", scopes=new)
            if after.first_party
            else sentence("It may ask for %(scopes)s from the next sign-in on, and people are asked.", scopes=new)
        )


def _less(these: tuple[str, ...] | frozenset[str], those: tuple[str, ...] | frozenset[str]) -> str:
    return " ".join(sorted(set(these) - set(those)))
