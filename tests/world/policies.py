"""Our policy, and one from before some of its tables."""

from importlib.resources import files

from idp.policy import load_policy
from tests.world.provider import Provider

OURS = (files("idp") / "policy.toml").read_text(encoding="utf-8")
BEFORE = OURS[: OURS.index("[sessions]")]  # of an operator who wrote it when there were no such tables


def rule(provider: Provider, text: str) -> None:
    """From here on these rows of the operator hold."""
    provider.idp.policy = load_policy(BEFORE + text)
