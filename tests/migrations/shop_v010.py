"""A small shop as 0.1.0 leaves it in the database: orders in each status, and deliveries in each state."""

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from project.bus.registry import handlers

STATUSES = ("placed", "confirmed", "backordered", "rejected", "paid", "shipped", "returned", "cancelled")
#: What holds stock at 0.1.0.
RESERVED = {"confirmed", "paid"}
ORDERS_PER_STATUS = 3
SUBSCRIPTIONS = {
    "orders.order_placed": ["inventory.reserve_stock"],
    "orders.order_confirmed": ["users.email_confirmation"],
    "users.user_created": ["users.email_welcome"],
    "inventory.stock_reserved": ["orders.confirm_orders"],
}


def id_of(kind: int, number: int) -> UUID:
    """A version 7 id of the day of the release, the same in each run."""
    return UUID(int=(0x019AB000_0000 << 80) | (0x7 << 76) | (0x8 << 60) | (kind << 32) | number)


class Shop:
    """Fills a database by the historical models."""

    def __init__(self, apps: Any) -> None:
        self.apps = apps
        self.now = timezone.now()
        self.events = 0
        self.deliveries = 0

    def add(self, model: str, **values: Any) -> Any:
        return self.apps.get_model(*model.split(".")).objects.create(**values)

    def publish(self, event_type: str, subject: UUID, **data: Any) -> UUID:
        self.events += 1
        return self.add(
            "bus.Event",
            id=id_of(1, self.events),
            type=event_type,
            subject=str(subject),
            sequence=self.events,
            time=self.now,
            data=data,
            correlation_id=id_of(2, self.events),
            causation_id=id_of(1, 1) if self.events > 1 else None,
        )

    def owe(self, event: Any, handler: str, **values: Any) -> Any:
        self.deliveries += 1
        defaults = {"id": self.deliveries, "due_at": self.now - timedelta(minutes=1)}
        return self.add("bus.Delivery", event=event, handler=handler, **defaults | values)

    def finish(self, event: Any, handler: str, outcome: str = "done") -> None:
        self.deliveries += 1
        self.add(
            "bus.Receipt",
            delivery_id=self.deliveries,
            event=event,
            handler=handler,
            outcome=outcome,
            attempts=1,
            worker="host:1",
            ended_at=self.now - timedelta(seconds=self.deliveries),
        )

    def fail(self, delivery: Any, attempts: int) -> None:
        for attempt in range(1, attempts + 1):
            self.add(
                "bus.Failure",
                delivery_id=delivery.pk,
                event=delivery.event,
                handler=delivery.handler,
                attempt=attempt,
                error="ConnectionRefusedError",
                signature="0123456789abcdef",
                traceback="Traceback (most recent call last): ü 100 %",
                worker="host:1",
                failed_at=self.now - timedelta(minutes=attempt),
            )

    def fill(self) -> None:
        for event_type, names in SUBSCRIPTIONS.items():
            for handler in names:
                self.add("bus.Subscription", event_type=event_type, handler=handler, queue=handlers[handler].queue)
        for number in range(24):
            self._user(number)
        self._stock()
        for status in STATUSES:
            for number in range(ORDERS_PER_STATUS):
                self._order(status, STATUSES.index(status) * ORDERS_PER_STATUS + number)
        for movement in self.movements:
            self.add("inventory.Movement", **movement)
        for stock, (on_hand, reserved) in self.figures.items():
            self.apps.get_model("inventory", "Stock").objects.filter(pk=stock).update(
                on_hand=on_hand, reserved=reserved
            )
        # As if the database had given the ids of all deliveries, also of those that are receipts now.
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence('bus_delivery', 'id'), %s)", [self.deliveries]
                )
            else:
                cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = 'bus_delivery'", [self.deliveries])

    def _user(self, number: int) -> None:
        user = self.add(
            "users.User",
            id=id_of(3, number),
            email=f"customer{number}@example.org",
            name=f"Ümit O'Neil {number} %s",
            password="!",
            is_staff=number == 0,
            is_active=number != 1,
            date_joined=self.now,
        )
        event = self.publish("users.user_created", user.pk, user_id=str(user.pk))
        if number < 20:
            self.finish(event, "users.email_welcome", "discarded" if number == 2 else "done")
        elif number < 22:
            # Being retried, and due.
            self.fail(self.owe(event, "users.email_welcome", attempts=2), 2)
        elif number == 22:
            # Being retried, and not yet due.
            self.owe(event, "users.email_welcome", attempts=1, due_at=self.now + timedelta(days=1))
        else:
            dead = self.owe(event, "users.email_welcome", attempts=8, dead_at=self.now - timedelta(hours=1))
            self.fail(dead, 8)

    def _stock(self) -> None:
        self.movements: list[dict[str, Any]] = []
        self.figures: dict[int, list[int]] = {}
        self.stock = []
        places = [
            self.add("inventory.Location", code=code, name=code, priority=priority)
            for priority, code in enumerate(("north", "south"))
        ]
        for number in range(6):
            facts = {"name": f"Mug {number}", "price": f"{number}.50", "currency": "EUR", "active": number != 5}
            product = self.add("inventory.Product", id=id_of(4, number), sku=f"MUG-{number}", version=1, **facts)
            self.add("orders.CatalogueItem", sku=product.sku, sequence=1, **facts)
            for place in places:
                stock = self.add("inventory.Stock", product=product, location=place)
                self.figures[stock.pk] = [0, 0]
                self.move(stock, "received", on_hand=100, reason="delivery")
                self.stock.append(stock)

    def move(self, stock: Any, kind: str, on_hand: int = 0, reserved: int = 0, **cause: Any) -> None:
        figures = self.figures[stock.pk]
        figures[0] += on_hand
        figures[1] += reserved
        self.movements.append(
            {
                "stock": stock,
                "kind": kind,
                "on_hand_delta": on_hand,
                "reserved_delta": reserved,
                "on_hand_after": figures[0],
                "reserved_after": figures[1],
                "at": self.now,
                **cause,
            }
        )

    def _order(self, status: str, number: int) -> None:
        order = self.add(
            "orders.Order",
            id=id_of(5, number),
            customer_id=id_of(3, number),
            status=status,
            version=1 if status == "placed" else 2,
            currency="EUR",
            total="3.00",
            reason="called off" if status == "cancelled" else "",
            is_welcome=number % 5 == 0,
            placed_at=self.now,
            changed_at=self.now,
        )
        stock = self.stock[number % 10]
        self.add("orders.OrderLine", order=order, sku=stock.product.sku, name="Mug", quantity=2, unit_price="1.50")
        placed = self.publish(
            "orders.order_placed",
            order.pk,
            order_id=str(order.pk),
            customer_id=str(order.customer_id),
            lines=[{"sku": stock.product.sku, "quantity": 2}],
        )
        self.add("orders.OrderChange", order=order, sequence=1, from_status="", to_status="placed", event_id=placed.pk)
        if status == "placed":
            self.owe(placed, "inventory.reserve_stock")
            return
        self.finish(placed, "inventory.reserve_stock")
        self.add(
            "orders.OrderChange",
            order=order,
            sequence=2,
            from_status="placed",
            to_status=status,
            actor_id=order.customer_id,
            reason=order.reason,
        )
        if status in RESERVED:
            allocation = self.add("inventory.Allocation", order_id=order.pk, state="reserved", event_id=placed.pk)
            self.add("inventory.Reservation", allocation=allocation, stock=stock, quantity=2)
            self.move(stock, "reserved", reserved=2, order_id=order.pk, event_id=placed.pk)
        if status == "confirmed":
            confirmed = self.publish(
                "orders.order_confirmed", order.pk, order_id=str(order.pk), customer_id=str(order.customer_id)
            )
            self.owe(confirmed, "users.email_confirmation")


def states(deliveries: Any) -> Counter[str]:
    """How many deliveries are dead, retried or fresh."""
    return Counter(
        "dead" if dead_at else "retried" if attempts else "fresh"
        for attempts, dead_at in deliveries.values_list("attempts", "dead_at")
    )
