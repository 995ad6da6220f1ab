"""Two releases that read each other's events: fields with a default, newer versions, and unknown types.

The events and their handler belong to the runner; a third worker on their queue is one release ahead of the others.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from tests.faults import fault_events
from tests.faults.client_history import Client
from tests.faults.cluster import Cluster
from tests.faults.kinds.registry import fault
from tests.system import eventually


@contextmanager
def one_release_ahead(cluster: Cluster) -> Iterator[None]:
    """A worker of the next release, until the end of the block."""
    cluster.start_named("users3", FAULT_RELEASE="next")
    try:
        yield
    finally:
        if "users3" in cluster.processes:
            cluster.terminate("users3")


def publish(cluster: Cluster, event_type: str, *, version: int = 1, **fields: str) -> list[UUID]:
    """Publish three events with numbers of their own and these fields."""
    first = len(cluster.expected_effects)
    events = [{"number": number, **fields} for number in range(first, first + 3)]
    return fault_events.publish(cluster, event_type, events, version=version)


def wait_until_done_once(cluster: Cluster, ids: Sequence[UUID]) -> None:
    """Wait until these events are done; each must have taken effect once."""
    eventually(lambda: not fault_events.unsettled(cluster, ids), within=20, what="the events are done")
    effects = fault_events.effect_counts(cluster)
    assert {effects[event_id] for event_id in ids} == {1}


def wait_until_waiting(cluster: Cluster, ids: Sequence[UUID], *, what: str) -> None:
    """Wait until a worker that does not know these events has snoozed them, without counting an attempt."""
    query = "SELECT count(*) FROM bus_delivery WHERE event_id = ANY(%s) AND waits_for = %s AND attempts = 0"
    eventually(
        lambda: cluster.sql(query, list(ids), what) == [(len(ids),)], within=20, what=f"the events wait for {what}"
    )


def make_due(cluster: Cluster, ids: Sequence[UUID]) -> bool:
    """Make events due that wait, instead of waiting for half a minute; whether any of them still wait.

    Any worker may take them, so those that do not know them snooze them again and again.
    """
    cluster.sql("UPDATE bus_delivery SET due_at = now() WHERE event_id = ANY(%s) AND attempts = 0", list(ids))
    return bool(fault_events.unsettled(cluster, ids))


@fault("old publisher with a new consumer", area="release", seconds=4)
def old_publisher(cluster: Cluster, client: Client) -> None:
    """A field that the publisher does not know gets its default, and an older version goes through the upcaster."""
    with one_release_ahead(cluster):
        for event_type, default in (("faults.widened", "colour=none"), ("faults.changed", "colour=grey")):

            def understood(event_type: str = event_type, default: str = default) -> bool:
                ids = publish(cluster, event_type)
                wait_until_done_once(cluster, ids)
                return any(default in fields for fields in fault_events.fields_read(cluster, ids))

            eventually(understood, within=20, what=f"the new consumer has read {event_type}")


@fault("new publisher with an old consumer", area="release", seconds=4)
def new_publisher(cluster: Cluster, client: Client) -> None:
    """A field that the consumer does not know is ignored; a newer version waits, and its neighbours do not."""
    wider = publish(cluster, "faults.widened", colour="blue")
    newer = publish(cluster, "faults.changed", version=2, colour="blue")
    wait_until_done_once(cluster, wider)
    assert not [fields for fields in fault_events.fields_read(cluster, wider) if "colour" in fields], (
        "the consumer is not old"
    )
    wait_until_waiting(cluster, newer, what="faults.changed version 2")
    wait_until_done_once(cluster, publish(cluster, "faults.changed"))
    with one_release_ahead(cluster):
        eventually(
            lambda: not make_due(cluster, newer), within=30, what="the release that knows the version has handled it"
        )
    wait_until_done_once(cluster, newer)
    assert all("colour=blue" in fields for fields in fault_events.fields_read(cluster, newer))
    # A concurrent fault may kill a worker that handles them.
    assert not cluster.is_shortened or fault_events.attempts(cluster, newer) == [1, 1, 1], "an attempt was counted"


@fault("unknown event type and version", area="release", seconds=5)
def unknown(cluster: Cluster, client: Client) -> None:
    """Both wait where an operator sees them; a release that knows the type comes, but none that knows the version."""
    unheard = publish(cluster, "faults.unheard")
    impossible = publish(cluster, "faults.changed", version=9)
    try:
        wait_until_waiting(cluster, unheard, what="faults.unheard version 1")
        wait_until_waiting(cluster, impossible, what="faults.changed version 9")
        waiting = json.loads(cluster.manage_successfully("bus", "status", "--json"))["deliveries"]["waiting"]
        assert waiting >= len(unheard) + len(impossible), f"bus status says that {waiting} wait"
        with one_release_ahead(cluster):
            eventually(
                lambda: not make_due(cluster, unheard), within=30, what="the release that knows the type has handled it"
            )
            make_due(cluster, impossible)
            wait_until_waiting(cluster, impossible, what="faults.changed version 9")
        wait_until_done_once(cluster, unheard)
        assert not fault_events.fields_read(cluster, impossible)
    finally:
        # No release will ever know it, so it is given up, and must have had no effect.
        cluster.sql("DELETE FROM bus_delivery WHERE event_id = ANY(%s)", impossible)
        cluster.expected_effects |= dict.fromkeys(impossible, 0)
