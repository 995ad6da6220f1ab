"""Subscriptions are rows, written after each migrate from the handlers that the code declares."""

from django.core.management import call_command

from project.bus.models import Subscription
from project.bus.registry import handlers


def rows() -> set[tuple[str, str, str]]:
    return set(Subscription.objects.filter(active=True).values_list("event_type", "handler", "queue"))


def test_migrate_subscribes_every_handler_of_the_code(db):
    declared = {
        (event_type.wire_name, handler.name, handler.queue)
        for handler in handlers.values()
        for event_type in handler.event_types
    }
    assert rows() == declared
    assert ("orders.order_placed", "inventory.reserve_stock", "inventory") in declared
    assert ("users.user_created", "orders.open_welcome_order", "orders") in declared
    assert ("users.user_created", "users.email_welcome", "external") in declared


def test_migrate_adds_and_reactivates_subscriptions_and_removes_none(transactional_db):
    before = rows()
    Subscription.objects.filter(handler="inventory.reserve_stock").delete()
    Subscription.objects.filter(handler="inventory.release_stock").update(active=False, paused=True)
    Subscription.objects.create(event_type="tests.pinged", handler="another.release", queue="another")
    call_command("migrate", verbosity=0)
    assert rows() == {*before, ("tests.pinged", "another.release", "another")}
    assert Subscription.objects.get(handler="inventory.release_stock").paused, "only a person resumes a handler"
