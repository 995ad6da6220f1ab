"""@fault, and the kinds by name."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.cluster import Cluster
from tests.faults.journal import Client

KINDS: dict[str, "Fault"] = {}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault."""

    name: str
    inject: Callable[[Cluster, Client], None]
    #: What it breaks: web, database, broker, worker, relay, mail, message, order, clock, release, hands.
    area: str
    #: Seconds, about, that it takes; one of ten or more comes once in a run.
    seconds: float
    #: Seconds within which all that was published before it was healed is settled.
    drains_within: float
    #: Whether requests may fail meanwhile, because it breaks the web server or the database.
    excused: bool
    #: Whether the broker is away meanwhile: the web must not notice.
    broker_down: bool
    #: Whether it may go on beside others, as it touches none of what they touch.
    beside: bool
    #: What this machine lacks that it needs; empty when it lacks nothing.
    lacks: str


def fault(
    name: str,
    *,
    area: str,
    seconds: float = 1,
    drains_within: float = 10,
    broker_down: bool = False,
    beside: bool = False,
    lacks: str = "",
) -> Callable[[Callable[[Cluster, Client], None]], Callable[[Cluster, Client], None]]:
    """Register a function as a kind of fault. It raises AssertionError when it cannot show that it took place."""

    def register(inject: Callable[[Cluster, Client], None]) -> Callable[[Cluster, Client], None]:
        if name in KINDS:
            raise ValueError(f"two kinds of faults are named {name!r}")
        KINDS[name] = Fault(
            name=name,
            inject=inject,
            area=area,
            seconds=seconds,
            drains_within=drains_within,
            excused=area in ("web", "database"),
            broker_down=broker_down,
            beside=beside,
            lacks=lacks,
        )
        return inject

    return register
