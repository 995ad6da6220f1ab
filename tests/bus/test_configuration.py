"""configure(): a Celery app that a team already has carries bells beside its own tasks."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from celery import Celery
from celery.signals import celeryd_init
from kombu import Queue
from kombu.transport import TRANSPORT_ALIASES, _transport_cache, get_transport_cls  # type: ignore[attr-defined]

from project.bus import configuration, configure, publish
from project.bus.guard.guard import bell_task
from project.bus.registry import bus_queues
from project.bus.relay.broker import Doorbell
from tests.bus.events import Pinged
from tests.system import eventually


def ping(event): ...


@pytest.fixture
def team(monkeypatch):
    """A team's app, whose settings are not those that the bus would choose."""
    monkeypatch.setattr(configuration, "_made", set())
    monkeypatch.setattr("project.bus.configuration.bus_queues", {"shop"})
    for name, value in TRANSPORT_ALIASES.items():
        monkeypatch.setitem(TRANSPORT_ALIASES, name, value)
    app = Celery("team", broker="redis://127.0.0.1:1/0", set_as_current=False)
    app.conf.task_compression = "gzip"
    app.conf.task_serializer = "pickle"
    configure(app)
    yield app
    celeryd_init.disconnect(dispatch_uid="bus.add_queues")


def start(app: Celery) -> None:
    """Do what Celery does before a worker chooses its queues."""
    configuration._add_queues(instance=SimpleNamespace(app=app))


def test_a_worker_consumes_the_bus_queues_beside_its_own(team):
    start(team)
    assert set(team.amqp.queues.consume_from) == {"celery", "shop"}
    assert not team.amqp.queues["shop"].queue_arguments, "a quorum queue would change how the team's tasks are delayed"


def test_a_worker_that_names_its_queues_consumes_no_others(team):
    start(team)
    team.amqp.queues.select(["celery"])
    assert set(team.amqp.queues.consume_from) == {"celery"}


def test_a_worker_does_not_start_where_a_queue_carries_bells_and_other_tasks(team):
    team.conf.task_queues = [Queue("celery"), Queue("shop")]
    with pytest.raises(SystemExit, match=r"The queue shop carries .* Set BUS_QUEUE_PREFIX"):
        start(team)


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "pyamqp", "amqps"])
def test_each_broker_has_the_guard(team, scheme):
    assert get_transport_cls(TRANSPORT_ALIASES[scheme]).__module__.startswith("project.bus.guard.")


def test_a_broker_without_a_guard_is_reported(team, caplog):
    team.conf.broker_url = "memory://"
    start(team)
    assert "has no guard" in caplog.text


def test_a_bell_is_a_bell_whatever_the_app_does_to_its_own_messages(team, rabbit):
    queue_name = f"bells-{uuid4()}"
    team.conf.broker_url = rabbit.direct_url
    doorbell = Doorbell(team)
    with Celery("plain", broker=rabbit.direct_url, set_as_current=False).connection_for_write() as connection:
        queue = Queue(queue_name, channel=connection.default_channel)
        queue.declare()
        doorbell.ring("orders.confirm_orders", queue=queue_name)
        message = eventually(queue.get, within=10, what="the bell")
        assert message is not None
        properties = {"content_type": message.content_type, "content_encoding": message.content_encoding}
        assert bell_task(message.headers, message.body, **properties) == "orders.confirm_orders"
        message.ack()
    doorbell.close()


@pytest.mark.django_db
def test_a_published_event_names_the_database_that_its_transaction_is_missing(settings, monkeypatch):
    monkeypatch.setattr("project.bus.outbox.bus_connection", lambda: SimpleNamespace(in_atomic_block=False))
    settings.BUS_DATABASE = "events"
    with pytest.raises(RuntimeError, match=r"transaction\.atomic\(using='events'\)"):
        publish(Pinged(number=1))


def test_every_handler_of_the_project_has_a_queue_of_the_bus():
    assert {"orders", "inventory", "external", "users"} <= bus_queues


@pytest.mark.parametrize("scheme", ["redis", "rediss", "amqp", "amqps"])
def test_the_guard_is_in_place_where_a_connection_was_made_before(monkeypatch, scheme):
    monkeypatch.setattr(configuration, "_made", set())
    for name, value in TRANSPORT_ALIASES.items():
        monkeypatch.setitem(TRANSPORT_ALIASES, name, value)
    unguarded = "kombu.transport.redis:Transport"
    monkeypatch.setitem(TRANSPORT_ALIASES, scheme, unguarded)
    monkeypatch.setitem(_transport_cache, scheme, get_transport_cls(unguarded))
    configure(Celery("late", set_as_current=False))
    assert get_transport_cls(scheme).__module__.startswith("project.bus.guard.transports.")
    celeryd_init.disconnect(dispatch_uid="bus.add_queues")
