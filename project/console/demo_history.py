"""The people of `manage.py demo_data` and what they ordered: made by the operations, carried by the bus."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import transaction

from inventory.models import Allocation
from orders import operations as orders
from orders.models import CatalogueItem, Order, Status
from project.bus import consumer
from project.bus.registry import Handler, handlers
from project.bus.relay import due_handlers
from project.console.demo_content import DEMO_PEOPLE, DemoOrder, DemoPerson
from project.events import Line
from users import operations as users
from users.models import User

#: Seconds that the bus has for one step of the history.
LIMIT = 20.0
CURRENCY = "EUR"


class HistoryStuck(Exception):
    """The bus did not get on; the message says with what."""


def add_history() -> tuple[int, int]:
    """Add the people who are missing, with their orders; how many of each.

    Raises:
        HistoryStuck: handlers that it needs are paused or fail.
    """
    missing = [person for person in DEMO_PEOPLE if not User.objects.filter(email=person.email).exists()]
    if not missing:
        return 0, 0
    with quiet_consumer():
        skus = {sku for person in missing for order in person.orders for sku, _ in order.lines}
        work_until(lambda: CatalogueItem.objects.filter(sku__in=skus).count() == len(skus), what="the new products")
        with transaction.atomic():
            placed = [order for person in missing for order in add_person(person)]
        ids = [order.pk for order, _ in placed]
        unsettled = Order.objects.filter(pk__in=ids, status=Status.PLACED)
        work_until(lambda: not unsettled.exists(), what="the orders")
        reasons = {order.pk: told.called_off for order, told in placed if told.called_off}
        called_off = Order.objects.filter(pk__in=reasons, status=Status.CONFIRMED)
        for order in called_off:
            orders.cancel_order(order_id=order.pk, actor_id=order.customer_id, reason=reasons[order.pk])
        held = Allocation.objects.filter(pk__in=reasons, state=Allocation.State.RESERVED)
        work_until(lambda: not held.exists(), what="the cancelled orders")
    return len(missing), len(placed)


def add_person(person: DemoPerson) -> Iterator[tuple[Order, DemoOrder]]:
    """Register somebody and place the orders of what is for sale."""
    user = users.register_user(email=person.email, password=None, name=person.name)
    for order in person.orders:
        skus = [sku for sku, _ in order.lines]
        for_sale = CatalogueItem.objects.filter(sku__in=skus, active=True, currency=CURRENCY)
        if for_sale.count() == len(skus):
            lines = [Line(sku=sku, quantity=quantity) for sku, quantity in order.lines]
            yield orders.place_order(customer_id=user.pk, lines=lines), order


def due() -> list[Handler]:
    """The handlers with something due that need nothing outside the database; e-mail waits for its worker."""
    known = [handlers[entry.handler] for entry in due_handlers() if entry.handler in handlers]
    return [handler for handler in known if not handler.external]


def work_until(done: Callable[[], bool], *, what: str) -> None:
    """Do what workers would, as none may be running yet; beside those that do, this takes its share.

    Raises:
        HistoryStuck: it is not done in time.
    """
    deadline = time.monotonic() + LIMIT
    while not done():
        if time.monotonic() > deadline:
            raise HistoryStuck(f"{what} were not handled within {LIMIT:g} s; manage.py bus_status tells more")
        for handler in due():
            consumer.answer_bell(handler)
        time.sleep(0.01)


@contextmanager
def quiet_consumer() -> Iterator[None]:
    """While it is open, the log has no line for each batch that goes well."""
    logger = logging.getLogger(consumer.__name__)
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
