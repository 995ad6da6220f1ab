"""Products and locations."""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from inventory.models import Location, Product
from project.api.errors import FieldError, InvalidInput
from project.bus.outbox import publish
from project.events import ProductChanged


@transaction.atomic
def add_product(*, sku: str, name: str, price: Decimal, currency: str = "EUR", active: bool = True) -> Product:
    """Add a product to the catalogue and publish ProductChanged.

    Raises:
        InvalidInput: a field is malformed, or the SKU is taken.
    """
    product = Product(sku=sku, name=name, price=price, currency=currency, active=active)
    check(product)
    insert(product, key="sku")
    return product


@transaction.atomic
def change_product(
    *,
    sku: str,
    name: str | None = None,
    price: Decimal | None = None,
    currency: str | None = None,
    active: bool | None = None,
) -> Product:
    """Change what is given of a product, and publish ProductChanged if that changes anything.

    Raises:
        InvalidInput: a field is malformed, or no product has the SKU.
    """
    product = Product.objects.select_for_update().filter(sku=sku).first()
    if product is None:
        raise InvalidInput(unknown_sku(sku))
    changes = {"name": name, "price": price, "currency": currency, "active": active}
    for field, value in changes.items():
        if value is not None:
            setattr(product, field, value)
    check(product)
    product.save()
    return product


@transaction.atomic
def add_location(*, code: str, name: str, priority: int = 0) -> Location:
    """Add a place that holds stock; orders are filled from the lowest priority first.

    Raises:
        InvalidInput: a field is malformed, or the code is taken.
    """
    location = Location(code=code, name=name, priority=priority)
    check(location)
    insert(location, key="code")
    return location


@transaction.atomic
def change_location(
    *, code: str, name: str | None = None, priority: int | None = None, active: bool | None = None
) -> Location:
    """Change what is given of a location.

    Raises:
        InvalidInput: a field is malformed, or no location has the code.
    """
    location = Location.objects.select_for_update().filter(code=code).first()
    if location is None:
        detail = f"No location has the code {code!r}. Add the location first."
        raise InvalidInput(FieldError(field="code", code="unknown", detail=detail))
    for field, value in {"name": name, "priority": priority, "active": active}.items():
        if value is not None:
            setattr(location, field, value)
    check(location)
    location.save()
    return location


def insert(instance: models.Model, *, key: str) -> None:
    """Insert what was checked.

    Raises:
        InvalidInput: somebody else has taken its key since.
    """
    try:
        with transaction.atomic():
            instance.save(force_insert=True)
    except IntegrityError as error:
        detail = f"{getattr(instance, key)!r} was taken just now. Take another one, or change the one that is there."
        raise InvalidInput(FieldError(field=key, code="unique", detail=detail)) from error


def insert_products(products: Sequence[Product]) -> None:
    """Insert new products that were checked, set-wise, and announce them as their signal would: this sends none.

    The caller's transaction is open. A SKU that somebody else has taken meanwhile is theirs, and announced by them.
    """
    # By SKU, whatever order the caller has them in: two who insert the same ones then never deadlock.
    Product.objects.bulk_create(sorted(products, key=attrgetter("sku")), ignore_conflicts=True)
    inserted = Product.objects.filter(pk__in=[product.pk for product in products])
    publish(*map(announcement, inserted))


def announcement(product: Product) -> ProductChanged:
    """What the other services are told of a product's present version."""
    return ProductChanged(
        sku=product.sku,
        name=product.name,
        price=product.price,
        currency=product.currency,
        active=product.active,
        sequence=product.version,
    )


def unknown_sku(sku: str) -> FieldError:
    """What to say of a SKU that no product has."""
    return FieldError(field="sku", code="unknown", detail=f"No product has the SKU {sku!r}. Add the product first.")


def check(instance: models.Model, *, by_database: bool = True) -> None:
    """Refuse an instance with a malformed field or, asking the database, one that it would not take.

    Raises:
        InvalidInput: naming each wrong field.
    """
    try:
        instance.full_clean(validate_unique=by_database, validate_constraints=by_database)
    except ValidationError as error:
        raise InvalidInput(
            *(
                FieldError(field=field, code=problem.code or "invalid", detail=" ".join(problem.messages))
                for field, problems in error.error_dict.items()
                for problem in problems
            )
        ) from error
