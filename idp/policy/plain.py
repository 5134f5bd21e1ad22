"""The policy as plain values, as JSON has them: every row with what it says or what ours says for it. Pure."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from idp.limits import Limit
from idp.model import Notice
from idp.policy.details import DetailsRule, Tier
from idp.policy.lifetimes import lifetimes_of
from idp.policy.limits import WINDOWS, limits_of
from idp.policy.sites import Place
from idp.policy.table import Policy, in_units


def plain(policy: Policy) -> dict[str, Any]:
    """The whole policy, by the tables of the file; spans are in seconds."""
    return {
        "levels": {level.name.lower(): acr for level, acr in policy.levels.items()},
        "factors": {factor.value: level.name.lower() for factor, level in policy.factors.items()},
        "scopes": {
            name: {
                "level": rule.level.name.lower(),
                "fresh_seconds": None if rule.fresh is None else rule.fresh.total_seconds(),
                "ttl_seconds": rule.ttl.total_seconds(),
                "refresh": rule.refresh,
                "internal": rule.internal,
                "people": rule.people,
                "machines": rule.machines,
            }
            for name, rule in policy.scopes.items()
            if name not in policy.places
        },
        "groups": {name: level.name.lower() for name, level in policy.groups.items()},
        "group_factors": {name: sorted(factors) for name, factors in policy.only.items()},
        "roles": {name: role.name.lower() for name, role in policy.roles.items()},
        "details": {name: _details(rule) for name, rule in policy.details.items()},
        "sites": {
            host: {"title": site.title, "places": [_place(each) for each in site.places]}
            for host, site in policy.sites.items()
        },
        "hold_seconds": policy.enrolment.hold.total_seconds(),
        **_by_table(policy),
    }


def _by_table(policy: Policy) -> dict[str, dict[str, Any]]:
    """Lifetimes in seconds and the numbers beside them, by the tables of the file."""
    tables: dict[str, dict[str, Any]] = {}
    for row, span in lifetimes_of(policy).items():
        table, key = row.split(".")
        tables.setdefault(table, {})[f"{key}_seconds"] = span.total_seconds()
    tables["challenge"] |= {
        "attempts": policy.challenge.attempts,
        "message_at_once": policy.challenge.message_at_once,
    }
    tables["notices"] |= {
        "wrong_codes": policy.notices.wrong_codes,
        "texted": {notice.value: policy.notices.texting(notice).value for notice in Notice},
    }
    tables["limits"] = {row: _numbers(limit) for row, limit in limits_of(policy.limits).items()}
    return tables


def _numbers(limit: Limit) -> dict[str, Any]:
    """The keys that the row has in the file, spans in seconds."""
    numbers: dict[str, Any] = {}
    if (waits := limit.backoff) is not None:
        numbers |= {"free": waits.free, "base_seconds": waits.base.total_seconds()}
        numbers |= {"cap_seconds": waits.cap.total_seconds()}
        numbers |= {} if waits.close_at is None else {"close_at": waits.close_at}
        numbers |= {} if waits.forget is None else {"forget_seconds": waits.forget.total_seconds()}
    counts = {window.per: window.count for window in limit.windows}
    return numbers | {key: counts[per] for key, per in WINDOWS.items() if per in counts}


def _details(rule: DetailsRule) -> dict[str, Any]:
    return {
        "level": rule.level.name.lower(),
        "fresh_seconds": None if rule.fresh is None else rule.fresh.total_seconds(),
        "ttl_seconds": rule.ttl.total_seconds(),
        "fields": {each: field.kind.value for each, field in rule.fields.items()},
        "under": [{"level": tier.level.name.lower(), **_sums(tier)} for tier in rule.tiers],
    }


def _sums(tier: Tier) -> dict[str, Any]:
    return {currency: {"each": str(each), "day": str(tier.day[currency])} for currency, each in tier.each.items()}


def _place(place: Place) -> dict[str, Any]:
    return {
        "path": place.path,
        "level": place.level.name.lower(),
        "fresh_seconds": None if place.fresh is None else place.fresh.total_seconds(),
        "groups": sorted(place.groups),
    }


def differences(before: Policy, after: Policy) -> list[tuple[str, str, str]]:
    """The rows that say something else, each by its address in the file, with both values in words."""
    old, new = dict(_flat(plain(before))), dict(_flat(plain(after)))
    both = ((row, old.get(row, "none"), new.get(row, "none")) for row in dict.fromkeys((*old, *new)))
    return [(row, was, now) for row, was, now in both if was != now]


def _flat(values: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        row = f"{where}.{key}" if where else key
        if isinstance(value, Mapping) and value:
            yield from _flat(value, row)
        else:
            yield row.removesuffix("_seconds"), _said(row, value)


def _said(row: str, value: object) -> str:
    if row.endswith("fresh_seconds") and value == 0:
        return "always"
    if row.endswith("_seconds") and isinstance(value, float):
        return in_units(timedelta(seconds=value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(json.dumps(each) if isinstance(each, dict) else str(each) for each in value) or "none"
    return "none" if value is None or value == {} else str(value)
