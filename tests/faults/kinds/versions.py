"""Two releases that read one another's events: fields with a default, newer versions, and what nobody has heard of.

The events and their handler are the runner's own; a third worker on their queue is one release ahead of the two others.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from tests.faults import own
from tests.faults.cluster import Cluster
from tests.faults.journal import Client
from tests.faults.kinds.registry import fault
from tests.system import eventually


@contextmanager
def one_release_ahead(cluster: Cluster) -> Iterator[None]:
    """While it lasts there is a worker that is so."""
    cluster.start_named("users3", FAULT_RELEASE="next")
    try:
        yield
    finally:
        if "users3" in cluster.processes:
            cluster.terminate("users3")


def publish(cluster: Cluster, event_type: str, *, version: int = 1, **fields: str) -> list[UUID]:
    """Publish three events with a number of their own and these fields."""
    first = len(cluster.owed)
    events = [{"number": number, **fields} for number in range(first, first + 3)]
    return own.publish(cluster, event_type, events, version=version)


def done_once(cluster: Cluster, ids: Sequence[UUID]) -> None:
    """Wait until these are done; each must have had its effect once."""
    eventually(lambda: not own.owed(cluster, ids), within=20, what="the events are done")
    effects = own.effects(cluster)
    assert {effects[event_id] for event_id in ids} == {1}


def wait_for(cluster: Cluster, ids: Sequence[UUID], *, what: str) -> None:
    """Wait until these are handed back by who does not know them: visibly, and with no attempt counted."""
    query = "SELECT count(*) FROM bus_delivery WHERE event_id = ANY(%s) AND waits_for = %s AND attempts = 0"
    eventually(lambda: cluster.sql(query, list(ids), what) == [(len(ids),)], within=20, what=f"they wait for {what}")


def look_again(cluster: Cluster, ids: Sequence[UUID]) -> bool:
    """Make due what waits, which else is looked at again after half a minute; whether any of these still wait.

    Whoever is first takes them, so those that do not know them hand them back, time and again.
    """
    cluster.sql("UPDATE bus_delivery SET due_at = now() WHERE event_id = ANY(%s) AND attempts = 0", list(ids))
    return bool(own.owed(cluster, ids))


@fault("old publisher with a new consumer", area="release", seconds=4)
def old_publisher(cluster: Cluster, client: Client) -> None:
    """A field that the publisher does not know has its default, and its older version goes through the upcaster."""
    with one_release_ahead(cluster):
        for event_type, filled_in in (("faults.widened", "colour=none"), ("faults.changed", "colour=grey")):

            def understood(event_type: str = event_type, filled_in: str = filled_in) -> bool:
                ids = publish(cluster, event_type)
                done_once(cluster, ids)
                return any(filled_in in told for told in own.told(cluster, ids))

            eventually(understood, within=20, what=f"the new consumer has read {event_type}")


@fault("new publisher with an old consumer", area="release", seconds=4)
def new_publisher(cluster: Cluster, client: Client) -> None:
    """A field that the consumer does not know is left alone; a newer version waits, and its neighbours do not."""
    wider = publish(cluster, "faults.widened", colour="blue")
    newer = publish(cluster, "faults.changed", version=2, colour="blue")
    done_once(cluster, wider)
    assert not [told for told in own.told(cluster, wider) if "colour" in told], "the consumer is not old"
    wait_for(cluster, newer, what="faults.changed version 2")
    done_once(cluster, publish(cluster, "faults.changed"))
    with one_release_ahead(cluster):
        eventually(lambda: not look_again(cluster, newer), within=30, what="who knows the version has done it")
    done_once(cluster, newer)
    assert all("colour=blue" in told for told in own.told(cluster, newer))
    # A fault beside this one may take a worker away that has them in hand.
    assert not cluster.hurry or own.attempts(cluster, newer) == [1, 1, 1], "an attempt was counted"


@fault("unknown event type and version", area="release", seconds=5)
def unknown(cluster: Cluster, client: Client) -> None:
    """Both wait where an operator sees them; a release that knows the type comes, none ever does for the version."""
    unheard = publish(cluster, "faults.unheard")
    impossible = publish(cluster, "faults.changed", version=9)
    try:
        wait_for(cluster, unheard, what="faults.unheard version 1")
        wait_for(cluster, impossible, what="faults.changed version 9")
        waiting = json.loads(cluster.succeeds("bus_status", "--json"))["deliveries"]["waiting"]
        assert waiting >= len(unheard) + len(impossible), f"bus_status says that {waiting} wait"
        with one_release_ahead(cluster):
            eventually(lambda: not look_again(cluster, unheard), within=30, what="who knows the type has done it")
            look_again(cluster, impossible)
            wait_for(cluster, impossible, what="faults.changed version 9")
        done_once(cluster, unheard)
        assert not own.told(cluster, impossible)
    finally:
        # Nobody will ever know it: it is given up, and must have had no effect.
        cluster.sql("DELETE FROM bus_delivery WHERE event_id = ANY(%s)", impossible)
        cluster.owed |= dict.fromkeys(impossible, 0)
