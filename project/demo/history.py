"""The customers of `manage.py demo_data` and their orders, added by operations and carried by the bus."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import transaction

from inventory.models import Allocation
from orders import operations as orders
from orders.models import CatalogueItem, Order, Status
from project.bus.registry import Handler, handlers
from project.bus.relay.scan import due_handlers
from project.bus.worker import consumer
from project.demo.content import DEMO_PEOPLE, DemoOrder, DemoPerson
from project.events import Line
from users import operations as users
from users.models import User

#: For the bus to handle the events of one step of the history.
STEP_LIMIT_S = 20.0
CURRENCY = "EUR"


class HistoryStuck(Exception):
    """The bus did not handle the events; the message says of what."""


def add_history() -> tuple[int, int]:
    """Add the missing people with their orders, and return the number of each.

    Raises:
        HistoryStuck: a handler that it needs is paused or fails.
    """
    missing = [person for person in DEMO_PEOPLE if not User.objects.filter(email=person.email).exists()]
    if not missing:
        return 0, 0
    with quiet_log():
        skus = {sku for person in missing for order in person.orders for sku, _ in order.lines}
        handle_until(lambda: CatalogueItem.objects.filter(sku__in=skus).count() == len(skus), what="the new products")
        with transaction.atomic():
            placed = [order for person in missing for order in add_person(person)]
        ids = [order.pk for order, _ in placed]
        unsettled = Order.objects.filter(pk__in=ids, status=Status.PLACED)
        handle_until(lambda: not unsettled.exists(), what="the orders")
        reasons = {order.pk: told.cancel_reason for order, told in placed if told.cancel_reason}
        cancel_reason = Order.objects.filter(pk__in=reasons, status=Status.CONFIRMED)
        for order in cancel_reason:
            orders.cancel_order(order_id=order.pk, actor_id=order.customer_id, reason=reasons[order.pk])
        held = Allocation.objects.filter(pk__in=reasons, state=Allocation.State.RESERVED)
        handle_until(lambda: not held.exists(), what="the cancelled orders")
    return len(missing), len(placed)


def add_person(person: DemoPerson) -> Iterator[tuple[Order, DemoOrder]]:
    """Register a customer, and place the orders whose products are for sale."""
    user = users.register_user(email=person.email, password=None, name=person.name, confirmed=True)
    for order in person.orders:
        skus = [sku for sku, _ in order.lines]
        for_sale = CatalogueItem.objects.filter(sku__in=skus, active=True, currency=CURRENCY)
        if for_sale.count() == len(skus):
            lines = [Line(sku=sku, quantity=quantity) for sku, quantity in order.lines]
            yield orders.place_order(customer_id=user.pk, lines=lines), order


def due() -> list[Handler]:
    """Return the handlers with due deliveries, except external ones: e-mail waits for its worker."""
    known = [handlers[entry.handler] for entry in due_handlers() if entry.handler in handlers]
    return [handler for handler in known if not handler.external]


def handle_until(done: Callable[[], bool], *, what: str) -> None:
    """Handle events as a worker would, because none may run yet. It also works beside running ones.

    Raises:
        HistoryStuck: `done` is not true in time.
    """
    deadline = time.monotonic() + STEP_LIMIT_S
    while not done():
        if time.monotonic() > deadline:
            raise HistoryStuck(f"{what} were not handled within {STEP_LIMIT_S:g} s; manage.py bus status shows why")
        for handler in due():
            consumer.answer_bell(handler)
        time.sleep(0.01)


@contextmanager
def quiet_log() -> Iterator[None]:
    """Keep lines about successful batches out of the log while this is open."""
    logger = logging.getLogger(consumer.__name__)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
