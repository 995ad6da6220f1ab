"""Orderly itself as the benchmark sees it."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from celery import current_app
from celery.signals import worker_init
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection, transaction
from kombu.transport import TRANSPORT_ALIASES
from rest_framework_simplejwt.tokens import AccessToken

from benchmarks.peers.steps import steps as by_step
from benchmarks.specs import BULK, CUSTOMERS, HISTORY_SEED, PRICES, UNITS, Spec, chunks, customer_id, specs, total
from inventory import operations as inventory
from inventory.models import Allocation, Movement, Reservation, Stock
from inventory.operations.ledger import move, record
from orders import operations
from orders.models import Order, OrderChange, OrderLine, Status
from project.bus import consumer
from project.bus.claims import claim_fresh
from project.bus.events import Event
from project.bus.outbox import publish
from project.bus.registry import handlers
from project.bus.relay import due_handlers
from project.console.management.commands import up
from project.events import Line, OrderConfirmed, OrderPlaced, StockReserved

LOCK_ERROR = OperationalError
#: Receipts of an order whose mail nobody sends.
RECEIPTS = 2
#: How often the cost of a claim is measured.
PROBES = 30
SESSION_TIMEOUTS = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
#: Turns what is owed into receipts, as if it had been handled.
SETTLE = (
    """
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, ended_at)
    SELECT id, event_id, handler, 'done', 1, 'benchmark', due_at FROM bus_delivery
    """,
    "DELETE FROM bus_delivery",
)


def place_one(spec: Spec) -> UUID:
    """Place one order; its id."""
    return operations.place_order(customer_id=spec.customer_id, lines=_lines(spec)).pk


def place_many(wanted: Sequence[Spec]) -> None:
    """Place many in one transaction."""
    operations.place_orders(
        orders=[operations.NewOrder(customer_id=spec.customer_id, lines=_lines(spec)) for spec in wanted]
    )


def _lines(spec: Spec) -> list[Line]:
    return [Line(sku=sku, quantity=quantity) for sku, quantity in spec.lines]


def token() -> str:
    """The bearer token of a customer."""
    return str(AccessToken.for_user(get_user_model().objects.get(pk=customer_id(0))))


def settled() -> int:
    """How many orders were carried to their end, by the database's own count of receipts, a second old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_tuples_inserted('bus_receipt'::regclass)")
        return int(cursor.fetchone()[0]) // RECEIPTS


def costs() -> dict[str, float]:
    """Median milliseconds of what the bus asks again and again, beside what is in its tables now."""
    handler = handlers["inventory.reserve_stock"]

    def claim() -> None:
        claim_fresh(handler=handler, limit=consumer.BATCH, durable=False)

    found = {"a look of the relay": timed(due_handlers)}
    for name, orders in (("a claim", 0), ("a claim of 100 that were published just now", BULK)):
        times = []
        for seed in range(PROBES):
            with transaction.atomic():
                if orders:
                    place_many(specs(count=orders, seed=seed))
                times.append(timed(claim, times=1))
                transaction.set_rollback(True)
        found[name] = statistics.median(times)
    return found


def steps(*, orders: int) -> list[tuple[str, str, float]]:
    """Where an order's time goes (benchmarks/peers/steps.py)."""
    return by_step(orders=orders, place_many=place_many)


def timed(function: Callable[[], object], *, times: int = 100) -> float:
    """The median of the milliseconds that it takes."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(1000 * (time.perf_counter() - start))
    return statistics.median(spent)


def set_up(*, history: int) -> dict[str, Any]:
    """Make the tables, the products and a history of settled orders; how it is run and what makes it safe."""
    call_command("migrate", verbosity=0)
    user = get_user_model()
    user.objects.bulk_create(
        user(id=customer_id(number), email=f"customer{number}@example.org", password="!")  # noqa: S106 - nobody's
        for number in range(CUSTOMERS)
    )
    inventory.add_location(code="MAIN", name="Main")
    inventory.supply(
        wanted=[
            inventory.Supply(sku=sku, name=f"Product {sku}", price=PRICES[sku], units=UNITS) for sku in sorted(PRICES)
        ],
        location="MAIN",
        reason="benchmark",
    )
    while due := due_handlers():
        for entry in due:
            consumer.answer_bell(handlers[entry.handler])
    stocks = {stock.product.sku: stock for stock in Stock.objects.select_related("product")}
    for chunk in chunks(specs(count=history, seed=HISTORY_SEED), size=2_000):
        with transaction.atomic():
            _add_history(chunk, stocks)
    return {"programs": _programs(), "safety": _safety()}


def _programs() -> dict[str, list[str]]:
    """The commands by which `manage.py up` runs them, by name."""
    return {program.name: [*program.command] for program in up.own_programs()}


def _safety() -> dict[str, bool]:
    """The safeguards that have to be on while it is measured, and whether they are."""
    inside = [handler for handler in handlers.values() if not handler.external]
    tasks = [current_app.tasks[handler.name] for handler in handlers.values()]
    return {
        "guard between broker and Celery": TRANSPORT_ALIASES["redis"] == "project.bus.transports:RedisTransport",
        "remote control off": not current_app.conf.worker_enable_remote_control,
        "JSON messages only": set(current_app.conf.accept_content) == {"json"},
        "time limit on every handler": all(task.soft_time_limit and task.time_limit for task in tasks),
        "an event whose batch failed is tried alone": all(handler.attempts > 1 for handler in inside),
        "time-outs in workers' sessions": _sessions_end(),
        "ledger append-only by trigger": _ledger_is_append_only(),
        "DEBUG off": not settings.DEBUG,
    }


def _sessions_end() -> bool:
    """Whether a worker's new session has time-outs; SQLite has none."""
    worker_init.send(sender=None)
    connection.close()
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name = ANY(%s)", [list(SESSION_TIMEOUTS)])
        return all(setting != "0" for (setting,) in cursor.fetchall())


def _ledger_is_append_only() -> bool:
    movement = Movement.objects.filter(pk=Movement.objects.order_by("pk")[0].pk)
    try:
        with transaction.atomic():
            movement.update(reason="changed")
    except DatabaseError:
        return True
    return False


def _add_history(wanted: Sequence[Spec], stocks: dict[str, Stock]) -> None:
    """Add orders as they look when all is done, mails too."""
    orders = [
        Order(customer_id=spec.customer_id, currency="EUR", total=total(spec), status=Status.CONFIRMED, version=2)
        for spec in wanted
    ]
    Order.objects.bulk_create(orders)
    events: list[Event] = []
    changes, lines, allocations, reservations, movements = [], [], [], [], []
    for order, spec in zip(orders, wanted, strict=True):
        placed, reserved, confirmed = _events(order, spec)
        events += placed, reserved, confirmed
        changes += [
            OrderChange(order=order, sequence=1, to_status=Status.PLACED),
            OrderChange(
                order=order,
                sequence=2,
                from_status=Status.PLACED,
                to_status=Status.CONFIRMED,
                event_id=reserved.id,
            ),
        ]
        allocation = Allocation(order_id=order.pk, state=Allocation.State.RESERVED, event_id=placed.id)
        allocations.append(allocation)
        for sku, quantity in spec.lines:
            stock = stocks[sku]
            lines.append(
                OrderLine(order=order, sku=sku, name=f"Product {sku}", quantity=quantity, unit_price=PRICES[sku])
            )
            reservations.append(Reservation(allocation=allocation, stock=stock, quantity=quantity))
            movements.append(
                move(stock, Movement.Kind.RESERVED, reserved=quantity, order_id=order.pk, event_id=placed.id)
            )
    OrderChange.objects.bulk_create(changes)
    OrderLine.objects.bulk_create(lines)
    Allocation.objects.bulk_create(allocations)
    Reservation.objects.bulk_create(reservations)
    record(movements)
    publish(*events)
    with connection.cursor() as cursor:
        for statement in SETTLE:
            cursor.execute(statement)


def _events(order: Order, spec: Spec) -> tuple[Event, Event, Event]:
    """The three events of an order, each the cause of the next."""
    placed = OrderPlaced(order_id=order.pk, customer_id=order.customer_id, lines=_lines(spec), sequence=1)
    reserved = StockReserved(order_id=order.pk, cause=placed)
    confirmed = OrderConfirmed(
        order_id=order.pk, customer_id=order.customer_id, sequence=2, cause=reserved, correlation_id=placed.id
    )
    return placed, reserved, confirmed
