"""Figures for Prometheus: what is counted, and one function for each occasion. Serving them is the command line's.

With PROMETHEUS_MULTIPROC_DIR set before the first import, every process counts in a file of its own there, and
`multi_process` adds them up. No label holds anything a stranger could choose.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry()
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_requests = Counter(
    "idp_http_requests",
    "Requests answered, by route, method and status",
    ["route", "method", "status"],
    registry=REGISTRY,
)
_seconds = Histogram(
    "idp_http_request_seconds",
    "Seconds a request took, by route",
    ["route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
_factors = Counter(
    "idp_factors",
    "Answers judged, by factor and outcome (verified, refused, waited)",
    ["factor", "outcome"],
    registry=REGISTRY,
)
_tokens = Counter(
    "idp_tokens", "Token requests answered, by grant type and outcome", ["grant_type", "outcome"], registry=REGISTRY
)
_messages = Counter(
    "idp_sms", "Tries to send a text message, by gateway and outcome", ["gateway", "outcome"], registry=REGISTRY
)
_waiting = Gauge("idp_sms_waiting", "Text messages not sent yet", multiprocess_mode="mostrecent", registry=REGISTRY)
_pool = Gauge(
    "idp_database_connections",
    "Database connections, by state (open, idle)",
    ["state"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    """One request was answered. `route` is the name of a route of ours, never a path."""
    _requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
    _seconds.labels(route).observe(seconds)


def observe_factor(factor: str, outcome: str) -> None:
    """One answer was judged: `verified`, `refused` or `waited` (a limit was reached and nothing was compared)."""
    _factors.labels(factor, outcome).inc()


def observe_token(grant_type: str, outcome: str) -> None:
    """One token request was answered: `issued`, or the error code."""
    _tokens.labels(grant_type, outcome).inc()


def observe_sms(gateway: str, outcome: str) -> None:
    """One try to send a text message ended so."""
    _messages.labels(gateway, outcome).inc()


def set_waiting(messages: int) -> None:
    """So many text messages wait to be sent."""
    _waiting.set(messages)


def set_database_connections(*, size: int, idle: int) -> None:
    """So many connections this process has open, and how many of them nobody uses."""
    _pool.labels("open").set(size)
    _pool.labels("idle").set(idle)


def single_process(version: str) -> CollectorRegistry:
    """What to serve where requests are answered by this very process."""
    ProcessCollector(registry=REGISTRY)
    _add_version(REGISTRY, version)
    return REGISTRY


def multi_process(directory: str, version: str) -> CollectorRegistry:
    """What to serve where others answer the requests and count in this directory."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, directory)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
    _add_version(registry, version)
    return registry


def _add_version(registry: CollectorRegistry, version: str) -> None:
    Gauge("idp_build", "Always 1; the label says which version runs", ["version"], registry=registry).labels(
        version
    ).set(1)
