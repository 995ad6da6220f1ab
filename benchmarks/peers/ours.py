"""Orderly itself, for benchmarks/agent.py."""

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
from django.utils import timezone
from kombu.transport import TRANSPORT_ALIASES
from rest_framework_simplejwt.tokens import AccessToken

from benchmarks.orders import (
    CUSTOMERS,
    HISTORY_SEED,
    ORDERS_PER_TRANSACTION,
    PRICES,
    UNITS_PER_PRODUCT,
    OrderSpec,
    customer_id,
    generate_orders,
    in_batches,
    order_total,
)
from benchmarks.peers.step_times import time_steps
from inventory import operations as inventory
from inventory.models import Allocation, Movement, Reservation, Stock
from inventory.operations.ledger import change, write_movements
from orders import operations
from orders.models import Order, OrderChange, OrderLine, Status
from project.bus import Event, publish
from project.bus.registry import handlers
from project.bus.relay.scan import due_handlers
from project.bus.worker import consumer, sessions
from project.bus.worker.claims import claim_fresh
from project.console.management.commands import up
from project.events import Line, OrderConfirmed, OrderPlaced, StockReserved

LOCK_ERROR = OperationalError
#: Receipts of an order, without that of its mail.
RECEIPTS_PER_ORDER = 2
#: How often the cost of a claim is measured.
CLAIMS_TO_TIME = 30
SESSION_TIMEOUTS = ("idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout")
#: Turns deliveries into receipts, as if they had been handled.
SETTLE = (
    """
    INSERT INTO bus_receipt (delivery_id, event_id, handler, outcome, attempts, worker, settled_at)
    SELECT id, event_id, handler, 'done', 1, 'benchmark', due_at FROM bus_delivery
    """,
    "DELETE FROM bus_delivery",
)


def place_one(spec: OrderSpec) -> UUID:
    """Place one order; its id."""
    return operations.place_order(customer_id=spec.customer_id, lines=_lines(spec)).pk


def place_many(wanted: Sequence[OrderSpec]) -> None:
    """Place orders in one transaction."""
    operations.place_orders(
        orders=[operations.NewOrder(customer_id=spec.customer_id, lines=_lines(spec)) for spec in wanted]
    )


def _lines(spec: OrderSpec) -> list[Line]:
    return [Line(sku=sku, quantity=quantity) for sku, quantity in spec.lines]


def token() -> str:
    """The bearer token of a customer."""
    return str(AccessToken.for_user(get_user_model().objects.get(pk=customer_id(0))))


def settled() -> int:
    """How many orders were settled, from the database's statistics of receipts, which are a second old."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_get_tuples_inserted('bus_receipt'::regclass)")
        return int(cursor.fetchone()[0]) // RECEIPTS_PER_ORDER


def costs() -> dict[str, float]:
    """Median milliseconds of the queries that the bus repeats, with the current content of its tables."""
    handler = handlers["inventory.reserve_stock"]

    def claim() -> None:
        claim_fresh(handler=handler, limit=consumer.BATCH_SIZE, durable=False)

    found = {"a poll of the relay": timed(due_handlers)}
    for name, orders in (("a claim", 0), ("a claim of 100 new deliveries", ORDERS_PER_TRANSACTION)):
        times = []
        for seed in range(CLAIMS_TO_TIME):
            with transaction.atomic():
                if orders:
                    place_many(generate_orders(count=orders, seed=seed))
                times.append(timed(claim, times=1))
                transaction.set_rollback(True)
        found[name] = statistics.median(times)
    return found


def steps(*, orders: int) -> list[tuple[str, str, float]]:
    """The time of each step of an order (benchmarks/peers/step_times.py)."""
    return time_steps(orders=orders, place_many=place_many)


def timed(function: Callable[[], object], *, times: int = 100) -> float:
    """The median of the milliseconds that a call takes."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append(1000 * (time.perf_counter() - start))
    return statistics.median(spent)


def set_up(*, history: int) -> dict[str, Any]:
    """Make the tables, the products and a history of settled orders; the commands that run it, and its safeguards."""
    call_command("migrate", verbosity=0)
    user = get_user_model()
    user.objects.bulk_create(
        user(
            id=customer_id(number),
            email=f"customer{number}@example.org",
            email_confirmed_at=timezone.now(),  # else they get no mail about their orders
            password="!",  # noqa: S106 - no user logs in with it
        )
        for number in range(CUSTOMERS)
    )
    inventory.add_location(code="MAIN", name="Main")
    inventory.supply(
        wanted=[
            inventory.Supply(sku=sku, name=f"Product {sku}", price=PRICES[sku], units=UNITS_PER_PRODUCT)
            for sku in sorted(PRICES)
        ],
        location="MAIN",
        reason="benchmark",
    )
    while due := due_handlers():
        for entry in due:
            consumer.answer_bell(handlers[entry.handler])
    stocks = {stock.product.sku: stock for stock in Stock.objects.select_related("product")}
    for chunk in in_batches(generate_orders(count=history, seed=HISTORY_SEED), size=2_000):
        with transaction.atomic():
            _add_history(chunk, stocks)
    return {"programs": _programs(), "safety": _safety()}


def _programs() -> dict[str, list[str]]:
    """The commands of `manage.py up`, by name."""
    return {program.name: [*program.command] for program in up.project_programs()}


def _safety() -> dict[str, bool]:
    """The safeguards that must be on during a measurement, and whether they are."""
    inside = [handler for handler in handlers.values() if not handler.external]
    tasks = [current_app.tasks[handler.name] for handler in handlers.values()]
    return {
        "guard between broker and Celery": TRANSPORT_ALIASES["redis"].startswith("project.bus.guard."),
        "remote control off": not current_app.conf.worker_enable_remote_control,
        "JSON messages only": set(current_app.conf.accept_content) == {"json"},
        "time limit on every handler": all(task.soft_time_limit and task.time_limit for task in tasks),
        "events of a failed batch are retried singly": all(handler.attempts > 1 for handler in inside),
        "time-outs in the sessions of workers": _sessions_end(),
        "ledger append-only by trigger": _ledger_is_append_only(),
        "DEBUG off": not settings.DEBUG,
    }


def _sessions_end() -> bool:
    """Whether a session has time-outs while a worker answers a bell; SQLite has none."""
    worker_init.send(sender=None)
    connection.close()
    if connection.vendor == "sqlite":
        return True
    with sessions.limited(), connection.cursor() as cursor:
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


def _add_history(wanted: Sequence[OrderSpec], stocks: dict[str, Stock]) -> None:
    """Add orders that are settled, mails included."""
    orders = [
        Order(customer_id=spec.customer_id, currency="EUR", total=order_total(spec), status=Status.CONFIRMED, version=2)
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
                change(stock, Movement.Kind.RESERVED, reserved=quantity, order_id=order.pk, event_id=placed.id)
            )
    OrderChange.objects.bulk_create(changes)
    OrderLine.objects.bulk_create(lines)
    Allocation.objects.bulk_create(allocations)
    Reservation.objects.bulk_create(reservations)
    write_movements(movements)
    publish(*events)
    with connection.cursor() as cursor:
        for statement in SETTLE:
            cursor.execute(statement)


def _events(order: Order, spec: OrderSpec) -> tuple[Event, Event, Event]:
    """The three events of an order, each the cause of the next."""
    placed = OrderPlaced(order_id=order.pk, customer_id=order.customer_id, lines=_lines(spec), sequence=1)
    reserved = StockReserved(order_id=order.pk, cause=placed)
    confirmed = OrderConfirmed(
        order_id=order.pk, customer_id=order.customer_id, sequence=2, cause=reserved, correlation_id=placed.id
    )
    return placed, reserved, confirmed
