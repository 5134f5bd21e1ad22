"""Figures for Prometheus: what is counted, and one function for each occasion. Serving them is the command line's.

With PROMETHEUS_MULTIPROC_DIR set before the first import, every process counts in a file of its own there, and
`multi_process` adds them up. No label holds anything a stranger could choose.
"""

from datetime import timedelta
from functools import cache

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
    "idp_sms",
    "Tries to send a message, by gateway, country (ZZ: none) and outcome",
    ["gateway", "region", "outcome"],
    registry=REGISTRY,
)
_unsent = Counter(
    "idp_sms_unsent",
    "Messages claimed but not tried, by what became of them (denied, failed, waiting, gone)",
    ["state"],
    registry=REGISTRY,
)
_misconfigured = Counter(
    "idp_sms_misconfigured",
    "Tries that failed by our settings or our account at the provider: somebody has to mend that",
    ["gateway", "reason"],
    registry=REGISTRY,
)
_receipts = Counter(
    "idp_sms_receipts",
    "Receipts by gateway and status (also: nothing new, refused, broken)",
    ["gateway", "status"],
    registry=REGISTRY,
)
_denied = Counter(
    "idp_sms_denied",
    "Text messages that a spending rule denied, or would have, by rule and mode (enforce, shadow)",
    ["rule", "mode"],
    registry=REGISTRY,
)
_swaps = Histogram(
    "idp_sim_swap_check_seconds",
    "Seconds until a verdict about a SIM, by verdict (swapped, not_swapped, unknown)",
    ["verdict"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 2.5),
    registry=REGISTRY,
)
_verified = Gauge(
    "idp_sms_verified_ratio",
    "Of the codes sent to never-verified numbers in 24 hours, the share that was verified, by country",
    ["region"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
_money = Gauge(
    "idp_sms_money",
    "Money for text messages, by period (hour, day, month) and what it is (spent, budget)",
    ["period", "what"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
_budgets = Counter(
    "idp_sms_budget",
    "Budgets reached, by period and how far (near, used_up, stop)",
    ["period", "reached"],
    registry=REGISTRY,
)
_waiting = Gauge("idp_sms_waiting", "Messages not sent yet", multiprocess_mode="mostrecent", registry=REGISTRY)
_oldest = Gauge(
    "idp_sms_oldest_seconds",
    "Seconds since the oldest message that still waits was asked for",
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
_breakers = Gauge(
    "idp_sms_breaker",
    "Whether a gateway is left alone in a country (*: everywhere): 0 closed, 1 being probed, 2 open",
    ["gateway", "region"],
    multiprocess_mode="mostrecent",
    registry=REGISTRY,
)
_BREAKER = {"closed": 0, "half-open": 1, "probing": 1, "open": 2}
_pool = Gauge(
    "idp_database_connections",
    "Database connections, by state (open, idle)",
    ["state"],
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    """One request was answered. `route` is the name of a route of ours, never a path."""
    _requests_of(route, method if method in _METHODS else "other", status).inc()
    _seconds_of(route).observe(seconds)


@cache
def _requests_of(route: str, method: str, status: int) -> Counter:
    return _requests.labels(route, method, str(status))


@cache
def _seconds_of(route: str) -> Histogram:
    return _seconds.labels(route)


def observe_factor(factor: str, outcome: str) -> None:
    """One answer was judged: `verified`, `refused` or `waited` (a limit was reached and nothing was compared)."""
    _factors.labels(factor, outcome).inc()


def observe_token(grant_type: str, outcome: str) -> None:
    """One token request was answered: `issued`, or the error code."""
    _tokens.labels(grant_type, outcome).inc()


def observe_sms(gateway: str, region: str, outcome: str) -> None:
    """One try to send a message ended so. `region` is an ISO 3166 code, or ZZ."""
    _messages.labels(gateway, region, outcome).inc()


def observe_unsent(state: str) -> None:
    """A message was claimed and not tried; its state now."""
    _unsent.labels(state).inc()


def observe_misconfigured(gateway: str, reason: str) -> None:
    """A provider refused our account, our sender or our money."""
    _misconfigured.labels(gateway, reason).inc()


def observe_receipt(gateway: str, status: str) -> None:
    """A provider called back. `gateway` is one of ours, never what a stranger wrote into an address."""
    _receipts.labels(gateway, status).inc()


def observe_denied(rule: str, mode: str) -> None:
    """A spending rule denied a text message (`enforce`), or would have (`shadow`)."""
    _denied.labels(rule, mode).inc()


def observe_swap(verdict: str, seconds: float) -> None:
    """Somebody was asked about a SIM; `unknown` is no answer."""
    _swaps.labels(verdict).observe(seconds)


def observe_budget(period: str, reached: str) -> None:
    """A budget is `near`, `used_up`, or at its hard `stop`."""
    _budgets.labels(period, reached).inc()


def set_verified(region: str, ratio: float) -> None:
    """Such a share of the codes sent to never-verified numbers of a country was verified."""
    _verified.labels(region).set(ratio)


def set_money(period: str, *, spent: float, budget: float) -> None:
    """So much was spent in this period, of so much."""
    _money.labels(period, "spent").set(spent)
    _money.labels(period, "budget").set(budget)


def set_waiting(messages: int, oldest: timedelta) -> None:
    """So many messages wait to be sent, the oldest for so long."""
    _waiting.set(messages)
    _oldest.set(oldest.total_seconds())


def set_breaker(gateway: str, region: str, state: str) -> None:
    """How a breaker stands: closed, half-open, probing or open."""
    _breakers.labels(gateway, region).set(_BREAKER[state])


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
