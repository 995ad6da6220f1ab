"""Products and locations."""

from collections.abc import Sequence
from decimal import Decimal
from operator import attrgetter

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from inventory.models import Location, Product
from project.bus import publish
from project.errors import FieldError, InvalidInput
from project.events import ProductChanged


@transaction.atomic
def add_product(*, sku: str, name: str, price: Decimal, currency: str = "EUR", active: bool = True) -> Product:
    """Add a product to the catalogue and publish ProductChanged.

    Example:
        add_product(sku="MUG-STONE", name="Stoneware mug, 300 ml", price=Decimal("14.90"))

    Raises:
        InvalidInput: a field is malformed, or the SKU is taken.
    """
    product = Product(sku=sku, name=name, price=price, currency=currency, active=active)
    validate(product)
    insert_unique(product, key="sku")
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
    """Change the given fields of a product, and publish ProductChanged if any value changes.

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
    validate(product)
    product.save()
    return product


@transaction.atomic
def add_location(*, code: str, name: str, priority: int = 0) -> Location:
    """Add a location; orders are filled from the lowest priority first.

    Raises:
        InvalidInput: a field is malformed, or the code is taken.
    """
    location = Location(code=code, name=name, priority=priority)
    validate(location)
    insert_unique(location, key="code")
    return location


@transaction.atomic
def change_location(
    *, code: str, name: str | None = None, priority: int | None = None, active: bool | None = None
) -> Location:
    """Change the given fields of a location.

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
    validate(location)
    location.save()
    return location


def insert_unique(instance: models.Model, *, key: str) -> None:
    """Insert a validated instance.

    Raises:
        InvalidInput: its key was taken after the validation.
    """
    try:
        with transaction.atomic():
            instance.save(force_insert=True)
    except IntegrityError as error:
        detail = f"{getattr(instance, key)!r} was taken a moment ago. Choose another one, or change the existing one."
        raise InvalidInput(FieldError(field=key, code="unique", detail=detail)) from error


def insert_products(products: Sequence[Product]) -> None:
    """Insert validated new products and publish ProductChanged for each, in the caller's transaction.

    bulk_create() sends no signal, so the events are published here. A SKU that another transaction takes meanwhile
    stays with the product inserted there.
    """
    # Sorted by SKU, so that two transactions that insert the same products do not deadlock.
    Product.objects.bulk_create(sorted(products, key=attrgetter("sku")), ignore_conflicts=True)
    inserted = Product.objects.filter(pk__in=[product.pk for product in products])
    publish(*map(product_changed, inserted))


def product_changed(product: Product) -> ProductChanged:
    """The event that announces the present version of a product."""
    return ProductChanged(
        sku=product.sku,
        name=product.name,
        price=product.price,
        currency=product.currency,
        active=product.active,
        sequence=product.version,
    )


def unknown_sku(sku: str) -> FieldError:
    """The error for a SKU that no product has."""
    return FieldError(field="sku", code="unknown", detail=f"No product has the SKU {sku!r}. Add the product first.")


def validate(instance: models.Model, *, by_database: bool = True) -> None:
    """Validate an instance.

    Args:
        by_database: also check uniqueness and constraints, which takes queries.

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
