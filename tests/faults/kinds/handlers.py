"""Handlers that misbehave: too slow for every limit, always raising, killing their own process.

They are the runner's own (tests/faults/handlers.py), and their neighbours are good events of the same handler. Those
with poison do not come beside others: their few attempts are counted, so nothing else may take the worker away.
"""

from uuid import UUID

from tests.faults import own
from tests.faults.cluster import Cluster, alive
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually

#: Longer than the lease (2 s), the session's time-out (5 s) and the handler's time limit with its grace (7 s).
TOO_LONG = 8.0


def poisoned(cluster: Cluster, event_type: str, *, attempts: int) -> list[UUID]:
    """Publish two poison events among twenty good ones, and wait until these are done and those are dead."""
    handler = own.HANDLERS[event_type]
    cluster.dead_expected.append(handler)
    events = [{"number": number, "poison": number in (3, 13)} for number in range(22)]
    ids = own.publish(cluster, event_type, events)
    poison = {ids[3], ids[13]}

    def only_poison_is_left() -> bool:
        owed = own.owed(cluster, ids)
        return {event_id for event_id, _, dead in owed if dead} == poison and len(owed) == len(poison)

    eventually(only_poison_is_left, within=60, what=f"{handler}: the good are done and the poison is dead")
    assert {tried for _, tried, _ in own.owed(cluster, ids)} == {attempts}, "a dead letter has other attempts"
    done = own.attempts(cluster, ids)
    assert len(done) == len(events) - len(poison), done
    assert not cluster.hurry or max(done) <= 2, "a neighbour was tried more than twice"
    return sorted(poison)


@fault("handler that always raises", area="worker", seconds=10)
def always_raises(cluster: Cluster, client: Client) -> None:
    """A dead letter after its attempts, each with its traceback; its neighbours are done."""
    for event_id in poisoned(cluster, "faults.raised", attempts=3):
        failures = cluster.sql("SELECT error, traceback FROM bus_failure WHERE event_id = %s", event_id)
        raised = [error for error, traceback in failures if "raise_on_poison" in traceback]
        assert raised, "its tracebacks do not name it"
        # Once for each time that it was tried alone, unless a fault beside this one took the worker away meanwhile.
        assert not cluster.hurry or len(raised) == 2, failures


@fault("handler that kills its own process", area="worker", seconds=10)
def kills_its_own_process(cluster: Cluster, client: Client) -> None:
    """A dead letter that says so; its neighbours are done, and the workers' main processes live."""
    mains = {name: cluster.main(name).pid for name in cluster.workers("users")}
    poison = poisoned(cluster, "faults.crashed", attempts=2)
    dead = [int(file.suffix.lstrip(".")) for file in cluster.points.glob("died.*")]
    assert len(dead) >= 1 + len(poison), "a batch and each poison event alone must have killed a process"
    eventually(lambda: not any(map(alive, dead)), within=10, what="the killed processes are gone")
    if cluster.hurry:  # nothing beside it
        for event_id in poison:
            assert cluster.sql("SELECT error FROM bus_failure WHERE event_id = %s", event_id) == [("WorkerVanished",)]
        assert mains == {name: cluster.main(name).pid for name in mains}, "a main process has gone too"


@fault("handler slower than every lease and time-out", area="worker", seconds=10, beside=True)
def slower_than_everything(cluster: Cluster, client: Client) -> None:
    """Its effect is rolled back with its session, and it is done by somebody else, once."""
    number = len(cluster.owed)
    [event_id] = own.publish(cluster, "faults.dawdled", [{"number": number, "seconds": TOO_LONG}])
    first = cluster.points / f"dawdled.{number}"
    eventually(first.exists, within=20, what="it has begun")
    eventually(lambda: not own.owed(cluster, [event_id]), within=60, what="it is done")
    assert own.attempts(cluster, [event_id])[0] > 1, "it was done the first time"
    assert own.effects(cluster)[event_id] == 1, "its effect was not rolled back"
