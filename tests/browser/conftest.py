"""What the pages show in the browser's tests."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models.functions import Now

from inventory import operations as inventory
from orders import operations as orders
from orders.models import Order
from project.bus import publish
from project.bus.models import Delivery
from project.events import Line, StockReserved
from users import operations as users
from users.models import User

EMAIL, PASSWORD = "root@example.org", "correct horse battery"


@pytest.fixture
def staff(transactional_db) -> User:
    return User.objects.create_superuser(EMAIL, PASSWORD)


@pytest.fixture
def order(staff, drain) -> Order:
    """Ada's confirmed order of two cups."""
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("4.50"))
    inventory.add_location(code="MAIN", name="Main store")
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=5, reason="first delivery")
    customer = users.register_user(email="ada@example.org", password=None, name="Ada Lovelace")
    drain()
    order = orders.place_order(customer_id=customer.pk, lines=[Line(sku="CUP", quantity=2)])
    drain()
    return order


@pytest.fixture
def dead_letter(staff, drain) -> Delivery:
    """A StockReserved event of an unknown order, dead after its last attempt."""
    with transaction.atomic():
        publish(StockReserved(order_id=UUID(int=7)))
    delivery = Delivery.objects.filter(handler="orders.confirm_orders")
    delivery.update(attempts=7, due_at=Now() - timedelta(seconds=1))
    drain()
    return delivery.get(dead_at__isnull=False)
