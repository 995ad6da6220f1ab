from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from inventory import operations
from inventory.models import Location, Product
from project.api.errors import InvalidInput
from project.events import ProductChanged

pytestmark = pytest.mark.django_db


def mug(**changes):
    return operations.add_product(**{"sku": "MUG", "name": "Mug", "price": Decimal("9.90")} | changes)


def wrong_fields(refusal) -> set[str]:
    return {error.field for error in refusal.value.errors}


def test_a_new_product_is_announced_once_with_all_that_others_may_know(published):
    mug(currency="USD", active=False)

    (event,) = published(ProductChanged)
    assert (event.sku, event.name, event.price, event.currency, event.active) == (
        "MUG",
        "Mug",
        Decimal("9.90"),
        "USD",
        False,
    )
    assert event.sequence == 1


def test_each_change_is_announced_once_with_the_next_sequence(published):
    mug()
    operations.change_product(sku="MUG", price=Decimal("8.50"))
    operations.change_product(sku="MUG", name="Big mug", active=False)

    assert [(event.sequence, event.name, event.price, event.active) for event in published(ProductChanged)] == [
        (1, "Mug", Decimal("9.90"), True),
        (2, "Mug", Decimal("8.50"), True),
        (3, "Big mug", Decimal("8.50"), False),
    ]


def test_a_change_that_changes_nothing_is_not_announced(published):
    mug()
    operations.change_product(sku="MUG", price=Decimal("9.9"))
    operations.change_product(sku="MUG")

    assert len(published(ProductChanged)) == 1
    assert Product.objects.get().version == 1


def test_a_plain_save_is_announced_too(published):
    product = Product(sku="MUG", name="Mug", price=Decimal(1))
    product.save()
    product.price = Decimal(2)
    product.save(update_fields=["price"])

    assert [event.sequence for event in published(ProductChanged)] == [1, 2]
    assert Product.objects.get().version == 2


def test_a_save_from_a_stale_copy_still_counts_on(published):
    mug()
    one, other = Product.objects.get(), Product.objects.get()
    one.name = "One"
    one.save()
    other.name = "Other"
    other.save()

    assert [event.sequence for event in published(ProductChanged)] == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_an_announcement_that_fails_takes_the_change_with_it(monkeypatch):
    product = mug()

    def fail(*events):
        raise RuntimeError("no outbox today")

    monkeypatch.setattr("inventory.signals.publish", fail)
    product.name = "Big mug"
    with pytest.raises(RuntimeError):
        product.save()

    assert Product.objects.get().name == "Mug"


def test_a_sku_stays_what_it_was():
    product = mug()
    product.sku = "CUP"

    with pytest.raises(ValidationError, match="keeps its SKU"):
        product.save()

    assert Product.objects.get().sku == "MUG"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sku": ""}, "sku"),
        ({"sku": "a/b"}, "sku"),
        ({"sku": "a\n"}, "sku"),
        ({"sku": "X" * 65}, "sku"),
        ({"name": ""}, "name"),
        ({"price": Decimal("-0.01")}, "price"),
        ({"price": Decimal("0.001")}, "price"),
        ({"price": Decimal("1e12")}, "price"),
        ({"price": Decimal("NaN")}, "price"),
        ({"price": "cheap"}, "price"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "EURO"}, "currency"),
    ],
)
def test_a_malformed_product_is_refused_by_field_and_nothing_is_written(changes, field, published):
    with pytest.raises(InvalidInput) as refusal:
        mug(**changes)

    assert wrong_fields(refusal) == {field}
    assert not Product.objects.exists()
    assert published() == []


def test_a_taken_sku_is_refused(published):
    mug()
    with pytest.raises(InvalidInput) as refusal:
        mug()

    assert wrong_fields(refusal) == {"sku"}
    assert len(published()) == 1


def test_several_wrong_fields_are_named_together():
    with pytest.raises(InvalidInput) as refusal:
        mug(name="", price=Decimal(-1))

    assert wrong_fields(refusal) == {"name", "price"}


def test_a_malformed_change_is_refused_and_changes_nothing(published):
    mug()
    with pytest.raises(InvalidInput) as refusal:
        operations.change_product(sku="MUG", name="Big mug", price=Decimal(-1))

    assert wrong_fields(refusal) == {"price"}
    assert Product.objects.get().name == "Mug"
    assert len(published()) == 1


def test_an_unknown_product_cannot_change():
    with pytest.raises(InvalidInput) as refusal:
        operations.change_product(sku="GHOST", name="Boo")

    assert wrong_fields(refusal) == {"sku"}


def test_a_taken_location_code_is_refused():
    operations.add_location(code="north", name="North")
    with pytest.raises(InvalidInput) as refusal:
        operations.add_location(code="north", name="Also north")

    assert wrong_fields(refusal) == {"code"}
    assert Location.objects.get().name == "North"


def test_the_database_itself_refuses_a_negative_price():
    mug()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_product SET price = -1")
