"""Handlers that misbehave: too slow for every limit, always raising, killing their own process.

They belong to the runner (tests/faults/handlers.py), and their neighbours are good events of the same handler. Kinds
with poison are not concurrent: they count a few attempts, which another fault would change.
"""

from uuid import UUID

from tests.faults import fault_events
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster, is_pid_alive
from tests.faults.kinds.registry import fault
from tests.system import eventually

#: Longer than the lease (2 s), the session's time-out (5 s) and the handler's time limit with its grace (7 s).
TOO_LONG_S = 8.0


def publish_poison(cluster: Cluster, event_type: str, *, attempts: int) -> list[UUID]:
    """Publish two poison events among twenty good ones; wait until the good ones are done and the poison is dead."""
    handler = fault_events.HANDLERS[event_type]
    cluster.expected_dead_handlers.append(handler)
    events = [{"number": number, "poison": number in (3, 13)} for number in range(22)]
    ids = fault_events.publish(cluster, event_type, events)
    poison = {ids[3], ids[13]}

    def only_poison_is_left() -> bool:
        owed = fault_events.unsettled(cluster, ids)
        return {event_id for event_id, _, dead in owed if dead} == poison and len(owed) == len(poison)

    eventually(only_poison_is_left, within=60, what=f"{handler}: the good events are done and the poison is dead")
    assert {tried for _, tried, _ in fault_events.unsettled(cluster, ids)} == {attempts}, (
        "a dead letter has another number of attempts"
    )
    done = fault_events.attempts(cluster, ids)
    assert len(done) == len(events) - len(poison), done
    assert not cluster.is_shortened or max(done) <= 2, "a neighbour took more than two attempts"
    return sorted(poison)


@fault("handler that always raises", area="worker", seconds=10)
def always_raises(cluster: Cluster, client: Client) -> None:
    """A dead letter after its attempts, each with its traceback; its neighbours are done."""
    for event_id in publish_poison(cluster, "faults.raised", attempts=3):
        failures = cluster.sql("SELECT error, traceback FROM bus_failure WHERE event_id = %s", event_id)
        raised = [error for error, traceback in failures if "raise_on_poison" in traceback]
        assert raised, "no traceback names the handler"
        # One for each single attempt, unless a concurrent fault took the worker away meanwhile.
        assert not cluster.is_shortened or len(raised) == 2, failures


@fault("handler that kills its own process", area="worker", seconds=10)
def kills_its_own_process(cluster: Cluster, client: Client) -> None:
    """A dead letter that says so; its neighbours are done, and the workers' main processes survive."""
    mains = {name: cluster.main_process(name).pid for name in cluster.workers("users")}
    poison = publish_poison(cluster, "faults.crashed", attempts=2)
    dead = [int(file.suffix.lstrip(".")) for file in cluster.fault_directory.glob("died.*")]
    assert len(dead) >= 1 + len(poison), "a batch and each poison event alone must have killed a process"
    eventually(lambda: not any(map(is_pid_alive, dead)), within=10, what="the killed processes are gone")
    if cluster.is_shortened:  # no concurrent fault
        for event_id in poison:
            assert cluster.sql("SELECT error FROM bus_failure WHERE event_id = %s", event_id) == [("WorkerVanished",)]
        assert mains == {name: cluster.main_process(name).pid for name in mains}, "a main process died too"


@fault("handler slower than every lease and time-out", area="worker", seconds=10, concurrent=True)
def slower_than_everything(cluster: Cluster, client: Client) -> None:
    """Its effect is rolled back with its session, and another attempt does it once."""
    number = len(cluster.expected_effects)
    [event_id] = fault_events.publish(cluster, "faults.dawdled", [{"number": number, "seconds": TOO_LONG_S}])
    first = cluster.fault_directory / f"dawdled.{number}"
    eventually(first.exists, within=20, what="the handler has begun")
    eventually(lambda: not fault_events.unsettled(cluster, [event_id]), within=60, what="the event is handled")
    assert fault_events.attempts(cluster, [event_id])[0] > 1, "the first attempt succeeded"
    assert fault_events.effect_counts(cluster)[event_id] == 1, "the first effect was not rolled back"
