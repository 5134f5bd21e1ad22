"""The tables `[details.NAME]` of policy.toml: what people approve one by one (RFC 9396). See `details`."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType

from idp.model import AssuranceLevel
from idp.policy.details import TOLD, TYPE, DetailsRule, FieldKind, FieldRule, Tier
from idp.policy.fields import is_currency
from idp.policy.reading import Table
from idp.policy.table import ALWAYS, LONGEST_FRESH_TOKEN, SHORTEST_FRESH, in_units
from idp.sentences import located, sentence

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9._:/-]{0,79}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,4})?")
_KINDS = ", ".join(FieldKind)
_MOST = {FieldKind.TEXT: (70, 500), FieldKind.ACCOUNT: (34, 64), FieldKind.COUNT: (1_000_000, 1_000_000_000)}
_WORDS = 80  # of a title or a label
_FIELDS = 12

Levels = dict[AssuranceLevel, str]


def details(table: Table, levels: Levels) -> Mapping[str, DetailsRule]:
    """The types by name."""
    rules = {}
    for name in table.each():
        if not _TYPE.fullmatch(name):
            table.wrong(repr(name), sentence("a type is letters, digits and . _ : / - (RFC 9396 2)"))
        rules[name] = _rule(table.table(name), levels)
    return MappingProxyType(rules)


def _rule(row: Table, levels: Levels) -> DetailsRule:
    level = row.level("level", levels)
    fresh = _fresh(row, ALWAYS)
    rules = dict(_fields(row.table("fields")))
    money = [name for name, rule in rules.items() if rule.kind is FieldKind.MONEY]
    if len(money) > 1:
        row.wrong("fields", sentence("one amount is approved at a time, not %(names)s", names=" and ".join(money)))
    if not rules:
        why = sentence("there must be one at least: what nothing is shown of, nobody can approve")
        row.wrong("fields", why)
    payee = row.words("payee", _FIELD_WORDS)
    if payee is not None and (payee not in rules or rules[payee].kind is not FieldKind.TEXT):
        row.wrong("payee", sentence("must name a field of the kind text, not %(value)s", value=repr(payee)))
    tiers = tuple(_tiers(row, levels, base=level, currencies=_currencies(rules), money=bool(money)))
    title = row.words("title", _WORDS)
    ttl = row.lifetime("ttl", LONGEST_FRESH_TOKEN, most=LONGEST_FRESH_TOKEN)
    row.close()
    return DetailsRule(title, level, fresh, ttl, MappingProxyType(rules), payee, tiers)


_FIELD_WORDS = 40


def _fresh(row: Table, default: timedelta | None) -> timedelta | None:
    if row.left.get("fresh") == "any":
        row.left.pop("fresh")
        return None
    fresh = row.duration("fresh", default, always=True)
    if fresh is not None and ALWAYS < fresh < SHORTEST_FRESH:
        least = in_units(SHORTEST_FRESH)
        row.wrong("fresh", sentence('must be at least %(least)s, "always" or "any"', least=least))
    return fresh


def _fields(table: Table) -> Iterator[tuple[str, FieldRule]]:
    names = table.each()
    if len(names) > _FIELDS:
        why = sentence("at most %(most)s fields fit on a page that people read", most=_FIELDS)
        table.problems.append(located(table.where, why))
    for name in names:
        row = table.table(name)
        if not _FIELD.fullmatch(name) or name in TOLD or name == TYPE:
            reserved = ", ".join(sorted((*TOLD, TYPE)))
            why = sentence("a field is letters, digits and _, and not %(reserved)s", reserved=reserved)
            table.wrong(repr(name), why)
        yield name, _field(row)


def _field(row: Table) -> FieldRule:
    given = row.left.pop("kind", None)
    if given not in list(FieldKind):
        row.wrong("kind", sentence("must be one of %(names)s, not %(value)s", names=_KINDS, value=repr(given)))
    kind = FieldKind(given) if given in list(FieldKind) else FieldKind.TEXT
    usual, limit = _MOST.get(kind, (0, 0))
    most = row.left.pop("most", usual)
    if not isinstance(most, int) or isinstance(most, bool) or (limit and not 1 <= most <= limit):
        why = sentence("must be a whole number from 1 to %(limit)s, not %(value)s", limit=limit, value=repr(most))
        row.wrong("most", why)
        most = usual
    elif most != usual and not limit:
        row.wrong("most", sentence("has no meaning for %(kind)s", kind=kind.value))
    currencies = row.left.pop("currencies", [])
    right = isinstance(currencies, list) and all(isinstance(each, str) and is_currency(each) for each in currencies)
    if not right:
        why = sentence('must be a list such as ["EUR", "GBP"], not %(value)s', value=repr(currencies))
        row.wrong("currencies", why)
    elif currencies and kind is not FieldKind.MONEY:
        row.wrong("currencies", sentence("has no meaning for %(kind)s", kind=kind.value))
    rule = FieldRule(
        kind,
        row.words("label", _WORDS),
        row.flag("optional", default=False),
        most,
        frozenset(currencies) if right else frozenset(),
    )
    row.close()
    return rule


def _currencies(rules: Mapping[str, FieldRule]) -> frozenset[str]:
    return frozenset().union(*(rule.currencies for rule in rules.values()))


def _tiers(
    row: Table, levels: Levels, *, base: AssuranceLevel, currencies: frozenset[str], money: bool
) -> Iterator[Tier]:
    given = row.left.pop("under", [])
    if not isinstance(given, list):
        row.wrong("under", sentence("must be an array of tables: [[%(where)s.under]]", where=row.where))
        return
    if given and not money:
        row.wrong("under", sentence("a type without a field of the kind money has no small amounts"))
    for index, raw in enumerate(given):
        tier = Table(raw, f"{row.where}.under[{index}]", row.problems)
        level = tier.level("level", levels)
        if level > base:
            tier.wrong("level", sentence("small amounts may take less, never more"))
        fresh = _fresh(tier, ALWAYS)
        each: dict[str, Decimal] = {}
        day: dict[str, Decimal] = {}
        for currency in tier.each():
            if not is_currency(currency):
                continue  # `close` says that there is no such key
            if currencies and currency not in currencies:
                there = ", ".join(sorted(currencies))
                why = sentence("is no currency of this type: there are %(currencies)s", currencies=there)
                tier.wrong(currency, why)
            sums = tier.table(currency)
            each[currency], day[currency] = _sum(sums, "each"), _sum(sums, "day")
            if each[currency] > day[currency]:
                sums.wrong("day", sentence("must be at least as much as each"))
            sums.close()
        if not each:
            as_in = 'EUR = { each = "30.00", day = "100.00" }'
            tier.problems.append(located(tier.where, sentence("say how much, as %(as_in)s", as_in=as_in)))
        tier.close()
        yield Tier(level, fresh, MappingProxyType(each), MappingProxyType(day))


def _sum(row: Table, key: str) -> Decimal:
    value = row.left.pop(key, None)
    if isinstance(value, str) and _AMOUNT.fullmatch(value) and Decimal(value) > 0:
        return Decimal(value)
    row.wrong(key, sentence('must be an amount such as "30.00", not %(value)s', value=repr(value)))
    return Decimal(0)
