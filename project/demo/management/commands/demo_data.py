"""`manage.py demo_data`: add a small coffee shop."""

from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import transaction
from django.db.models import Q

from inventory import operations
from inventory.models import Location, Product
from project.bus.management import base
from project.console.demo_admin import DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD
from project.demo.content import (
    DEMO_LOCATIONS,
    DEMO_PRODUCTS,
    WELCOME_NAME,
    WELCOME_STOCK,
)
from project.demo.history import HistoryStuck, add_history
from users.models import User

OPENING_STOCK = "opening stock of the demo"


class Command(base.Command):
    help = """\
Add a small coffee shop to look at and to order from.

  a catalogue   twelve products with stock at two locations, and the welcome product that WELCOME_SKU names
  people        six customers without passwords, so nobody can log in as one of them
  a history     their orders: confirmed, cancelled, or rejected because they were for more units than there were
  an admin      with DEBUG on, an account whose password is printed

The same operations as in the API add all of it. This command handles the events of the history itself, so no worker
needs to run; the worker of the queue "external" sends the e-mails later. Existing data stays as it is: a second run
changes nothing.

example:
  WELCOME_SKU=WELCOME manage.py demo_data

exit codes:
  0  all of it is there
  1  the history could not be handled
  2  wrong arguments, or the database does not answer"""

    def handle(self, **_: Any) -> None:
        """Add what is missing.

        Raises:
            CommandError: the events of the history could not be handled.
        """
        with transaction.atomic():
            locations = add_locations()
            products = add_products()
        try:
            people, orders = add_history()
        except HistoryStuck as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"demo data: {products} products, {locations} locations, {people} people and {orders} orders added"
        )
        if settings.DEBUG and add_admin():
            self.stdout.write(f"demo admin: {DEMO_ADMIN_EMAIL}, password {DEMO_ADMIN_PASSWORD}")


def add_locations() -> int:
    """Add the missing locations, and return their number."""
    known = set(Location.objects.values_list("code", flat=True))
    missing = [(rank, code, name) for rank, (code, name) in enumerate(DEMO_LOCATIONS) if code not in known]
    for rank, code, name in missing:
        operations.add_location(code=code, name=name, priority=rank)
    return len(missing)


def add_products() -> int:
    """Add the missing products with their opening stock, and return their number."""
    known = set(Product.objects.values_list("sku", flat=True))
    missing = [product for product in DEMO_PRODUCTS if product.sku not in known]
    for product in missing:
        add_product(sku=product.sku, name=product.name, price=product.price, stock=product.stock)
    welcome = settings.WELCOME_SKU
    if not welcome or welcome in known or any(product.sku == welcome for product in missing):
        return len(missing)
    add_product(sku=welcome, name=WELCOME_NAME, price=Decimal("0.00"), stock=(WELCOME_STOCK, 0))
    return len(missing) + 1


def add_product(*, sku: str, name: str, price: Decimal, stock: tuple[int, ...]) -> None:
    operations.add_product(sku=sku, name=name, price=price, currency="EUR")
    for (location, _), quantity in zip(DEMO_LOCATIONS, stock, strict=True):
        if quantity:
            operations.receive_stock(sku=sku, location=location, quantity=quantity, reason=OPENING_STOCK)


def add_admin() -> bool:
    """Add the demo admin, whose password is public, and return True; return False if there is an administrator."""
    if User.objects.filter(Q(is_superuser=True) | Q(email=DEMO_ADMIN_EMAIL)).exists():
        return False
    User.objects.create_superuser(DEMO_ADMIN_EMAIL, DEMO_ADMIN_PASSWORD, name="Demo admin")
    return True
