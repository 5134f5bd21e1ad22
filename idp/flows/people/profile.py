"""What a person says of themselves, for whoever is signed in: names, website, language, time zone. No picture."""

from collections.abc import Mapping
from dataclasses import dataclass

from idp.audit import AccountChanged
from idp.catalogue import languages
from idp.flows.idp import Idp, Visitor
from idp.flows.people import rooms
from idp.flows.people.account import Done
from idp.flows.people.rooms import Inside, Outside, enter, still
from idp.flows.signin.authorize import ToClient
from idp.model import Account
from idp.policy.profile import Amiss, amiss, tidy, zones
from idp.store import audits
from idp.store.people import accounts


@dataclass(frozen=True, slots=True)
class Wrong:
    """Nothing was changed: what is wrong, by the name of the field."""

    fields: Mapping[str, Amiss]


def of(account: Account) -> dict[str, str]:
    """The fields as they are kept now."""
    kept = {**account.claims, "name": account.name, "locale": account.locale}
    return {name: value if isinstance(value := kept.get(name), str) else "" for name in tidy({})}


async def change(idp: Idp, visitor: Visitor, typed: Mapping[str, str]) -> Done | Wrong | Outside:
    """Keep what was typed. The further claims that an operator set stay as they are."""
    inside = await enter(idp, visitor, rooms.HOME)
    if not isinstance(inside, Inside):
        return inside
    fields = tidy(typed)
    # What was there before may stay, whatever we offer today.
    unchanged = {name: value for name, value in of(inside.account).items() if value}
    shipped = (*languages(idp.settings.templates), unchanged.get("locale", ""))
    wrong = amiss(fields, languages=shipped, zones=(*zones(), unchanged.get("zoneinfo", "")))
    if wrong:
        return Wrong(wrong)
    async with idp.db.transaction() as conn:
        again = await still(conn, idp, visitor, rooms.HOME, account_id=inside.account.id)
        if again is None:
            return ToClient(rooms.HOME, ())
        if fields == of(again.account):
            return Done()
        claims = {name: value for name, value in again.account.claims.items() if name not in fields}
        further = {name: value for name, value in fields.items() if value and name not in {"name", "locale"}}
        await accounts.set_profile(
            conn,
            account_id=again.account.id,
            name=fields["name"] or None,
            locale=fields["locale"] or None,
            claims={**claims, **further},
            now=again.now,
        )
        changed = AccountChanged(change="profile", by="person")
        await audits.add(conn, changed, now=again.now, account_id=again.account.id)
    return Done()
