"""What people approve one by one, for `idp policy check`: a file of details read, and the types in words."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from idp.policy import DetailsRule, Policy, Tier

LARGEST = 100_000


def read(path: Path) -> str:
    """The `authorization_details` in this file as a client would push them: an array, or one object made one."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST).decode("utf-8").strip()
    except OSError as error:
        why = "there is no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise typer.BadParameter(f"{path}: {why}", param_hint="'--details'") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not UTF-8", param_hint="'--details'") from None
    return f"[{text}]" if text.startswith("{") else text


def lines(policy: "Policy") -> list[str]:
    """The types, a sentence each."""
    return [f"Approving {name} takes {_takes(rule)}." for name, rule in policy.details.items()]


def _takes(rule: "DetailsRule") -> str:
    from idp.policy import in_units

    fresh = ""
    if rule.fresh is not None:
        fresh = f", proved within {in_units(rule.fresh)}" if rule.fresh else ", proved on its page"
    return rule.level.name.lower() + fresh + "".join(f"; {_under(tier)}" for tier in rule.tiers)


def _under(tier: "Tier") -> str:
    sums = " or ".join(
        f"up to {each} {currency}, {tier.day[currency]} in 24 hours" for currency, each in tier.each.items()
    )
    return f"{tier.level.name.lower()} for {sums}"
