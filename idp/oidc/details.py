"""`authorization_details` (RFC 9396 2, 5): JSON text in, checked `Details` or a refusal out. No session, no SQL."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

from idp.errors import OAuthError
from idp.model import Approved, AssuranceLevel, Client, Details
from idp.oidc.strictjson import Malformed, parse_array
from idp.policy import DetailsRule, misfit

PARAMETER = "authorization_details"
LONGEST = 2_048  # bytes as written again: what is carried in a code has to fit into an address
MOST = 5


def parse(text: str, *, client: Client, rules: Mapping[str, DetailsRule], pushed: bool) -> Details:
    """What the client asks to have approved, every field checked against its type's row.

    Raises invalid_authorization_details (RFC 9396 5), naming the object, the field and what was expected.
    """
    try:
        told = parse_array(text)
    except Malformed as error:
        # as JavaScript writes an array into a form
        also = " Send JSON.stringify(details), not the array itself." if text.startswith("[object") else ""
        _refuse(f"{PARAMETER} is not a JSON array: {error}.{also}")
    if not 0 < len(told) <= MOST:
        _refuse(f"{PARAMETER} must hold 1 to {MOST} objects.")
    amounts = 0
    for index, each in enumerate(told):
        rule = _rule_of(index, each, client=client, rules=rules)
        problem = misfit(each, rule)
        if problem is not None:
            _refuse(f"{PARAMETER}[{index}] {problem}.")
        amounts += rule.money is not None
    if amounts and not pushed:
        _refuse(f"{PARAMETER} with an amount must be pushed: send this request to the /par endpoint (RFC 9126) first.")
    if amounts > 1:
        _refuse(f"{PARAMETER} may hold one object with an amount: a person approves one transaction at a time.")
    written = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    if len(written.encode()) > LONGEST:
        _refuse(f"{PARAMETER} is longer than {LONGEST} bytes.")
    return Details(written)


def _rule_of(index: int, told: object, *, client: Client, rules: Mapping[str, DetailsRule]) -> DetailsRule:
    if not isinstance(told, dict):
        _refuse(f"{PARAMETER}[{index}] is not an object.")
    name: Any = told.get("type")
    if not isinstance(name, str):
        _refuse(f"{PARAMETER}[{index}] lacks type, a text.")
    rule = rules.get(name)
    # RFC 9396 5: a type that is unknown, and one that this client may not use
    if rule is None or name not in client.details_types:
        there = ", ".join(sorted(client.details_types & rules.keys())) or "none; ask the people who run this provider"
        _refuse(f"{PARAMETER}[{index}] is of a type that this client may not use: there are {there}.")
    return rule


def _refuse(description: str) -> NoReturn:
    raise OAuthError("invalid_authorization_details", f"{description} See docs/approvals.md.")


def approved(details: Details, transaction: UUID, at: datetime, *, level: AssuranceLevel) -> Approved:
    """The details as tokens tell them: enriched by what makes this approval one of its own (RFC 9396 7)."""
    more = {"transaction_id": str(transaction), "approved_at": int(at.timestamp())}
    told = [{**each, **more} for each in details.objects]
    return Approved(json.dumps(told, ensure_ascii=False, separators=(",", ":")), level)
