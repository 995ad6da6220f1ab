"""A campaign: faults drawn by seed, one after another, while a client places orders; then the verdict."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.cluster import Cluster
from tests.faults.journal import Attempt, Client
from tests.faults.kinds import KINDS, Fault
from tests.faults.verdict import Verdict, judge
from tests.services import REQUIRED
from tests.system import eventually

#: A kind that takes so many seconds or more comes once.
LONG = 10.0
#: What the journal calls the time before anything is broken, and how many orders are placed in it.
CALM, CALM_ORDERS = "nothing", 200
#: Seconds that a system which does not drain in time is given more, to tell late from never.
PATIENCE = 120.0


@dataclass
class Tally:
    """What became of the faults of one kind."""

    times: int = 0
    #: The longest time in seconds from when it was healed until all that had been published by then was settled.
    recovery: float = 0.0
    #: Seconds that all of them took, with their recoveries.
    seconds: float = 0.0
    troubles: list[str] = field(default_factory=list)


@dataclass
class Report:
    """What a campaign found."""

    seed: int
    broker: str
    seconds: float
    verdict: Verdict
    kinds: dict[str, Tally]
    #: Of orders placed while neither the web server nor the database was broken, those acknowledged.
    acknowledged_share: float
    #: Of requests while the broker was away: answers of 500 and above.
    broker_down_errors: int
    #: The 99th percentile of the seconds until an order was answered: while the broker was away, before anything was
    #: broken, and while anything else was but web server and database.
    broker_down_p99: float
    calm_p99: float
    other_p99: float
    #: What came of the orders that were not acknowledged though nothing excused it.
    unexcused: list[str]
    #: Kinds that were left out, each with what this machine lacks for it.
    left_out: dict[str, str]

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        troubles = any(tally.troubles for tally in self.kinds.values())
        return self.verdict.holds and not troubles and self.acknowledged_share >= 0.99 and not self.broker_down_errors


def schedule(*, faults: int, seed: int, kinds: Sequence[Fault]) -> list[Fault]:
    """Every kind once, then as many more of the short ones as are asked for, in an order drawn by seed."""
    drawn = random.Random(seed)
    short = [kind for kind in kinds if kind.seconds < LONG and not kind.beside]
    chosen = [*kinds, *drawn.choices(short, k=max(0, faults - len(kinds)))]
    drawn.shuffle(chosen)
    return chosen


def inject(cluster: Cluster, client: Client, fault: Fault, tally: Tally) -> None:
    """Inject one fault, heal it, and wait until all that was published before that is settled."""
    tally.times += 1
    started = time.monotonic()
    with client.conditions.on(excused=fault.excused, broker_down=fault.broker_down):
        try:
            client.stay_logged_in()
            fault.inject(cluster, client)
        except Exception as error:  # noqa: BLE001 - it is a finding, and the campaign goes on to say what else it finds
            tally.troubles.append(f"{type(error).__name__}: {error}")
        cluster.restart_dead()
    healed, began = cluster.now(), time.monotonic()

    def drained() -> bool:
        cluster.restart_dead()
        return not cluster.unsettled(until=healed, external=fault.area == "mail")

    def recovery() -> float:
        return time.monotonic() - began

    try:
        eventually(drained, within=fault.drains_within + PATIENCE, what="drained")
        if recovery() > fault.drains_within and not cluster.hurry:
            tally.troubles.append(f"drained {recovery():.1f} s after it, not {fault.drains_within:g}")
    except AssertionError:
        tally.troubles.append(f"not drained {recovery():.0f} s after it")
    tally.recovery = max(tally.recovery, recovery())
    tally.seconds += time.monotonic() - started


def run(
    cluster: Cluster, *, orders: int, faults: int, seed: int, broker: str, progress: Callable[[str], None]
) -> Report:
    """Run a campaign on a cluster that is set up."""
    began = time.monotonic()
    cluster.random = random.Random(seed)
    client = Client(cluster.url)
    client.start()
    progress("nothing is broken yet")
    place_calmly(client)
    left_out = {kind.name: kind.lacks for kind in KINDS.values() if kind.lacks and not REQUIRED}
    plan = schedule(faults=faults, seed=seed, kinds=[kind for name, kind in KINDS.items() if name not in left_out])
    tallies = {kind.name: Tally() for kind in plan}
    # Those that go on beside the others: one after another where they break the same thing.
    areas = dict.fromkeys(kind.area for kind in plan if kind.beside)
    beside = [
        threading.Thread(target=_inject_all, args=(cluster, client, tallies), kwargs={"plan": plan, "area": area})
        for area in areas
    ]
    for thread in beside:
        thread.start()
    one_by_one = [kind for kind in plan if not kind.beside]
    for number, kind in enumerate(one_by_one, start=1):
        share = orders * number // len(one_by_one) - orders * (number - 1) // len(one_by_one)
        minutes = (time.monotonic() - began) / 60
        progress(f"{minutes:5.1f} min, fault {number}/{len(one_by_one)}: {kind.name}{_troubles_so_far(tallies)}")
        client.conditions.during = kind.name
        client.grant(share)
        inject(cluster, client, kind, tallies[kind.name])
    progress("waiting for the faults beside")
    for thread in beside:
        thread.join()
    progress("waiting until everything is settled")
    eventually(client.quiet, within=60, what="every order has been tried")
    journal = client.stop()
    settle(cluster)
    return Report(
        seed=seed,
        broker=broker,
        seconds=time.monotonic() - began,
        verdict=judge(cluster, journal),
        kinds=tallies,
        left_out=left_out,
        **_intake(journal),
    )


def place_calmly(client: Client) -> None:
    """Place orders while nothing is broken, twenty a second: it shows how long an answer takes then."""
    client.conditions.during = CALM
    for _ in range(CALM_ORDERS):
        client.grant(1)
        time.sleep(0.05)
    eventually(client.quiet, within=60, what="the orders are placed")


def _inject_all(
    cluster: Cluster, client: Client, tallies: Mapping[str, Tally], *, plan: Sequence[Fault], area: str
) -> None:
    for kind in plan:
        if kind.beside and kind.area == area:
            inject(cluster, client, kind, tallies[kind.name])


def _troubles_so_far(tallies: Mapping[str, Tally]) -> str:
    """What a long campaign's progress says of them, so that nobody waits for the end to hear of the first."""
    troubles = [f"{name}: {trouble}" for name, tally in tallies.items() for trouble in tally.troubles]
    return f"; {len(troubles)} in trouble: {troubles[0]}" if troubles else ""


def settle(cluster: Cluster) -> None:
    """Wait until nothing is owed any more, mails included; what is left after that is a finding of the verdict."""

    def settled() -> bool:
        cluster.restart_dead()
        return not cluster.unsettled() and not cluster.unsettled(external=True)

    try:
        eventually(settled, within=PATIENCE, what="everything is settled")
    except AssertionError:
        return


def _intake(journal: Sequence[Attempt]) -> dict[str, Any]:
    unbroken = [attempt for attempt in journal if attempt.during == CALM]
    calm = [attempt for attempt in journal if not attempt.excused and attempt.during != CALM]
    down = [attempt for attempt in calm if attempt.broker_down]
    other = [attempt for attempt in calm if not attempt.broker_down and not attempt.apart]
    return {
        "acknowledged_share": sum(attempt.outcome == "acknowledged" for attempt in calm) / len(calm) if calm else 1.0,
        "broker_down_errors": sum(attempt.status >= 500 or attempt.outcome == "unknown" for attempt in down),
        "broker_down_p99": _p99([attempt.seconds for attempt in down]),
        "calm_p99": _p99([attempt.seconds for attempt in unbroken]),
        "other_p99": _p99([attempt.seconds for attempt in other]),
        "unexcused": [
            f"attempt {attempt.number}: {attempt.status or 'no answer'} during {attempt.during}"
            for attempt in calm
            if attempt.outcome != "acknowledged"
        ],
    }


def _p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)] if seconds else 0.0
