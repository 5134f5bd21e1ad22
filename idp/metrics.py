"""Figures for Prometheus."""


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    """One request was answered."""
