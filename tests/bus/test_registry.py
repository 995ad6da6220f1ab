"""@subscribe: names, queues and options of handlers."""

import pytest
from celery import current_app

from project.bus import subscribe
from project.bus.registry import _app_label, bus_queues, handlers
from tests.bus.events import Pinged, Ponged


def record(event): ...


def test_two_handlers_with_one_name_are_refused(subscribed):
    handler = subscribed(record, Pinged)
    with pytest.raises(ValueError, match=r"bus\.record"):
        subscribe(Ponged)(handler.function)


def test_an_external_handler_cannot_take_batches():
    with pytest.raises(ValueError, match="batch"):
        subscribe(Pinged, batch=True, external=True)


def test_a_handler_within_the_database_has_two_attempts_or_more():
    with pytest.raises(ValueError, match="attempts must be 2 or more"):
        subscribe(Pinged, attempts=1)
    assert callable(subscribe(Pinged, attempts=1, external=True))


def test_a_handler_outside_all_packages_needs_a_name_and_a_queue():
    def alone(event): ...

    alone.__module__ = "script"
    with pytest.raises(ValueError, match="script is in no app: give the handler a name= and a queue="):
        subscribe(Pinged)(alone)
    assert alone.__name__ not in " ".join(handlers)


def test_the_default_name_and_queue_come_from_the_apps_label(subscribed):
    handler = subscribed(record, Pinged)
    assert (handler.name, handler.queue) == ("bus.record", "bus")
    assert (handlers["orders.open_welcome_order"].queue, handlers["users.email_welcome"].queue) == (
        "orders",
        "external",
    )
    assert _app_label("project.bus.tasks") == "bus"
    assert _app_label("no_app.tasks") == "no_app"


@pytest.mark.parametrize(
    ("options", "queue"),
    [({}, "shop-bus"), ({"external": True}, "shop-external"), ({"queue": "mail", "external": True}, "shop-mail")],
)
def test_a_name_a_queue_and_a_prefix_can_be_chosen(settings, options, queue):
    settings.BUS_QUEUE_PREFIX = "shop-"
    try:
        subscribe(Pinged, name="elsewhere.record_it", **options)(record)
        assert handlers["elsewhere.record_it"].queue == queue
        assert queue in bus_queues
        assert current_app.tasks["elsewhere.record_it"]
    finally:
        del handlers["elsewhere.record_it"]
        bus_queues.discard(queue)
        current_app.tasks.pop("elsewhere.record_it", None)
