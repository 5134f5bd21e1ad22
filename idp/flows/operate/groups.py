"""What follows when a person is in other groups, in sentences. Pure."""

from collections.abc import Iterator, Sequence

from idp.model import Account, Client
from idp.policy import Policy, is_for


def consequences(before: Account, after: Account, registered: Sequence[Client], policy: Policy) -> Iterator[str]:
    """One sentence each, of their level, their factors and their applications."""
    old, new = policy.floor_of(before.groups), policy.floor_of(after.groups)
    if new > old:
        need = f"They need {new.name.lower()} for anything from now on"
        yield f"{need}; what applications hold from less ends at their next refresh."
    elif new < old:
        yield f"They need {new.name.lower()} for what does not ask for more by itself."
    if (counts := set(policy.of(after.groups).factors)) != set(policy.of(before.groups).factors):
        yield f"What counts for them as a second factor: {', '.join(sorted(counts)) or 'nothing'}."
    for client in registered:
        was, is_now = is_for(client, before.groups), is_for(client, after.groups)
        if was and not is_now:
            yield f"They may not use {client.name} any more: what it holds for them ends at its next refresh."
        elif is_now and not was:
            yield f"They may use {client.name}."
