"""A campaign: faults drawn by seed, one after another, while a client places orders; then the verdict."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.client_history import Attempt, Client
from tests.faults.cluster import Cluster
from tests.faults.kinds import KINDS, Fault
from tests.faults.verdict import Verdict, judge
from tests.services import REQUIRED
from tests.system import eventually

#: Kinds that take this long or longer come once.
LONG_FAULT_S = 10.0
#: The name of the time before any fault, and how many orders are placed in it.
BASELINE, BASELINE_ORDERS = "nothing", 200
#: Extra time for a system that did not drain within its limit, to tell late from never.
EXTRA_DRAIN_S = 120.0


@dataclass
class FaultResult:
    """What happened to the faults of one kind."""

    times: int = 0
    #: The longest time in seconds from the end of the fault until everything published by then was settled.
    recovery: float = 0.0
    #: Seconds of all faults of the kind, recoveries included.
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass
class Report:
    """The result of a campaign."""

    seed: int
    broker: str
    seconds: float
    verdict: Verdict
    kinds: dict[str, FaultResult]
    #: The share of orders that were acknowledged while neither the web server nor the database had a fault.
    acknowledged_share: float
    #: Requests that were answered with 500 and above, or not at all, while the broker was down.
    broker_down_errors: int
    #: The 99th percentile of the seconds until an order was answered: while the broker was down, before any fault, and
    #: during faults of anything but web server and database.
    broker_down_p99: float
    baseline_p99: float
    other_p99: float
    #: The orders that were not acknowledged although no fault allowed that.
    unexcused: list[str]
    #: Kinds that were left out, each with what this machine lacks for it.
    left_out: dict[str, str]

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        problems = any(result.problems for result in self.kinds.values())
        return self.verdict.holds and not problems and self.acknowledged_share >= 0.99 and not self.broker_down_errors


def schedule(*, faults: int, seed: int, kinds: Sequence[Fault]) -> list[Fault]:
    """Every kind once, then as many of the short ones as are still missing, in an order drawn by seed."""
    drawn = random.Random(seed)
    short = [kind for kind in kinds if kind.seconds < LONG_FAULT_S and not kind.concurrent]
    chosen = [*kinds, *drawn.choices(short, k=max(0, faults - len(kinds)))]
    drawn.shuffle(chosen)
    return chosen


def inject(cluster: Cluster, client: Client, fault: Fault, result: FaultResult) -> None:
    """Inject one fault, end it, and wait until everything published before that is settled."""
    result.times += 1
    started = time.monotonic()
    with client.conditions.active(may_fail=fault.may_fail, broker_down=fault.broker_down):
        try:
            client.renew_tokens()
            fault.inject(cluster, client)
        except Exception as error:  # noqa: BLE001 - it is a finding, and the campaign looks for further ones
            result.problems.append(f"{type(error).__name__}: {error}")
        cluster.restart_dead()
    healed, began = cluster.now(), time.monotonic()

    def drained() -> bool:
        cluster.restart_dead()
        return not cluster.unsettled_deliveries(until=healed, external=fault.area == "mail")

    def recovery() -> float:
        return time.monotonic() - began

    try:
        eventually(drained, within=fault.drain_limit_s + EXTRA_DRAIN_S, what="the backlog is drained")
        if recovery() > fault.drain_limit_s and not cluster.is_shortened:
            result.problems.append(f"drained after {recovery():.1f} s, not within {fault.drain_limit_s:g} s")
    except AssertionError:
        result.problems.append(f"not drained after {recovery():.0f} s")
    result.recovery = max(result.recovery, recovery())
    result.seconds += time.monotonic() - started


def run_campaign(
    cluster: Cluster, *, orders: int, faults: int, seed: int, broker: str, progress: Callable[[str], None]
) -> Report:
    """Run a campaign on a cluster that is set up."""
    began = time.monotonic()
    cluster.random = random.Random(seed)
    client = Client(cluster.url, registered=cluster.confirm_addresses)
    client.start()
    progress("no fault yet")
    place_baseline_orders(client)
    left_out = {kind.name: kind.lacks for kind in KINDS.values() if kind.lacks and not REQUIRED}
    plan = schedule(faults=faults, seed=seed, kinds=[kind for name, kind in KINDS.items() if name not in left_out])
    results = {kind.name: FaultResult() for kind in plan}
    concurrent = _start_concurrent(cluster, client, results, plan=plan)
    one_by_one = [kind for kind in plan if not kind.concurrent]
    for number, kind in enumerate(one_by_one, start=1):
        share = orders * number // len(one_by_one) - orders * (number - 1) // len(one_by_one)
        minutes = (time.monotonic() - began) / 60
        progress(f"{minutes:5.1f} min, fault {number}/{len(one_by_one)}: {kind.name}{_problems_so_far(results)}")
        client.conditions.during = kind.name
        client.grant(share)
        inject(cluster, client, kind, results[kind.name])
    progress("waiting for concurrent faults")
    for thread in concurrent:
        thread.join()
    progress("waiting until everything is settled")
    eventually(client.is_idle, within=60, what="every order has been tried")
    history = client.stop()
    settle(cluster)
    return Report(
        seed=seed,
        broker=broker,
        seconds=time.monotonic() - began,
        verdict=judge(cluster, history),
        kinds=results,
        left_out=left_out,
        **_intake(history),
    )


def place_baseline_orders(client: Client) -> None:
    """Place twenty orders a second without any fault, to measure how long an answer takes then."""
    client.conditions.during = BASELINE
    for _ in range(BASELINE_ORDERS):
        client.grant(1)
        time.sleep(0.05)
    eventually(client.is_idle, within=60, what="the orders are placed")


def _start_concurrent(
    cluster: Cluster, client: Client, results: Mapping[str, FaultResult], *, plan: Sequence[Fault]
) -> list[threading.Thread]:
    """Start a thread for each area of concurrent kinds; kinds of the same area run one after another."""

    def inject_all(area: str) -> None:
        for kind in plan:
            if kind.concurrent and kind.area == area:
                inject(cluster, client, kind, results[kind.name])

    areas = dict.fromkeys(kind.area for kind in plan if kind.concurrent)
    # Daemons, so that an interrupted campaign ends at once.
    threads = [threading.Thread(target=inject_all, args=(area,), daemon=True) for area in areas]
    for thread in threads:
        thread.start()
    return threads


def _problems_so_far(results: Mapping[str, FaultResult]) -> str:
    """The problems for the progress line, so that they show before the end of a long campaign."""
    problems = [f"{name}: {problem}" for name, result in results.items() for problem in result.problems]
    return f"; {len(problems)} problems: {problems[0]}" if problems else ""


def settle(cluster: Cluster) -> None:
    """Wait until every delivery is settled, mails included; what is left after that is for the verdict to find."""

    def settled() -> bool:
        cluster.restart_dead()
        return not cluster.unsettled_deliveries() and not cluster.unsettled_deliveries(external=True)

    try:
        eventually(settled, within=EXTRA_DRAIN_S, what="everything is settled")
    except AssertionError:
        return


def _intake(history: Sequence[Attempt]) -> dict[str, Any]:
    unbroken = [attempt for attempt in history if attempt.during == BASELINE]
    calm = [attempt for attempt in history if not attempt.may_fail and attempt.during != BASELINE]
    down = [attempt for attempt in calm if attempt.broker_down]
    other = [attempt for attempt in calm if not attempt.broker_down and not attempt.placed_by_fault]
    return {
        "acknowledged_share": sum(attempt.outcome == "acknowledged" for attempt in calm) / len(calm) if calm else 1.0,
        "broker_down_errors": sum(attempt.status >= 500 or attempt.outcome == "unknown" for attempt in down),
        "broker_down_p99": _p99([attempt.seconds for attempt in down]),
        "baseline_p99": _p99([attempt.seconds for attempt in unbroken]),
        "other_p99": _p99([attempt.seconds for attempt in other]),
        "unexcused": [
            f"attempt {attempt.number}: {attempt.status or 'no answer'} during {attempt.during}"
            for attempt in calm
            if attempt.outcome != "acknowledged"
        ],
    }


def _p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else 0.0
