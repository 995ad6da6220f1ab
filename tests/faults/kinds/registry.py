"""@fault, and the kinds by name."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.client_history import Client
from tests.faults.cluster import Cluster

KINDS: dict[str, "Fault"] = {}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault."""

    name: str
    inject: Callable[[Cluster, Client], None]
    #: What it breaks: web, database, broker, cache, worker, relay, mail, message, order, clock, release, operator.
    area: str
    #: Its usual duration in seconds; a kind that takes ten or more comes once in a campaign.
    seconds: float
    #: Seconds within which everything published before its end must be settled.
    drain_limit_s: float
    #: Whether requests may fail meanwhile, because it breaks the web server or the database.
    may_fail: bool
    #: Whether the broker is down meanwhile: the web server must not notice.
    broker_down: bool
    #: Whether it may run at the same time as others, because it breaks nothing that they need.
    concurrent: bool
    #: What this machine lacks for it; empty if nothing.
    lacks: str


def fault(
    name: str,
    *,
    area: str,
    seconds: float = 1,
    drain_limit_s: float = 10,
    broker_down: bool = False,
    concurrent: bool = False,
    lacks: str = "",
) -> Callable[[Callable[[Cluster, Client], None]], Callable[[Cluster, Client], None]]:
    """Register a function as a kind of fault; it raises AssertionError if it cannot prove that the fault took place."""

    def register(inject: Callable[[Cluster, Client], None]) -> Callable[[Cluster, Client], None]:
        if name in KINDS:
            raise ValueError(f"two kinds of faults are named {name!r}")
        KINDS[name] = Fault(
            name=name,
            inject=inject,
            area=area,
            seconds=seconds,
            drain_limit_s=drain_limit_s,
            may_fail=area in ("web", "database"),
            broker_down=broker_down,
            concurrent=concurrent,
            lacks=lacks,
        )
        return inject

    return register
