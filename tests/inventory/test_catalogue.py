import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from inventory import operations
from inventory.models import Location, Product
from project.errors import InvalidInput
from project.events import ProductChanged

pytestmark = pytest.mark.django_db


def add_mug(**changes):
    arguments: dict[str, Any] = {"sku": "MUG", "name": "Mug", "price": Decimal("9.90")}
    return operations.add_product(**arguments | changes)


def wrong_fields(refusal) -> set[str]:
    return {error.field for error in refusal.value.errors}


def test_new_product_is_announced_once_with_all_public_fields(published):
    add_mug(currency="USD", active=False)

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
    add_mug()
    operations.change_product(sku="MUG", price=Decimal("8.50"))
    operations.change_product(sku="MUG", name="Big mug", active=False)

    assert [(event.sequence, event.name, event.price, event.active) for event in published(ProductChanged)] == [
        (1, "Mug", Decimal("9.90"), True),
        (2, "Mug", Decimal("8.50"), True),
        (3, "Big mug", Decimal("8.50"), False),
    ]


def test_change_without_effect_is_not_announced(published):
    add_mug()
    operations.change_product(sku="MUG", price=Decimal("9.9"))
    operations.change_product(sku="MUG")

    assert len(published(ProductChanged)) == 1
    assert Product.objects.get().version == 1


def test_plain_save_is_announced(published):
    product = Product(sku="MUG", name="Mug", price=Decimal(1))
    product.save()
    product.price = Decimal(2)
    product.save(update_fields=["price"])

    assert [event.sequence for event in published(ProductChanged)] == [1, 2]
    assert Product.objects.get().version == 2


def test_save_of_a_stale_instance_gets_the_next_sequence(published):
    add_mug()
    one, other = Product.objects.get(), Product.objects.get()
    one.name = "One"
    one.save()
    other.name = "Other"
    other.save()

    assert [event.sequence for event in published(ProductChanged)] == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_change_is_rolled_back_if_its_event_cannot_be_published(monkeypatch):
    product = add_mug()

    def fail(*events):
        raise RuntimeError("no outbox today")

    monkeypatch.setattr("inventory.signals.publish", fail)
    product.name = "Big mug"
    with pytest.raises(RuntimeError):
        product.save()

    assert Product.objects.get().name == "Mug"


def test_sku_cannot_change():
    product = add_mug()
    product.sku = "CUP"

    with pytest.raises(ValidationError, match="The SKU MUG cannot change"):
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
def test_invalid_product_names_its_field_and_writes_nothing(changes, field, published):
    with pytest.raises(InvalidInput) as refusal:
        add_mug(**changes)

    assert wrong_fields(refusal) == {field}
    assert not Product.objects.exists()
    assert published() == []


def test_taken_sku_is_refused(published):
    add_mug()
    with pytest.raises(InvalidInput) as refusal:
        add_mug()

    assert wrong_fields(refusal) == {"sku"}
    assert len(published()) == 1


def test_all_invalid_fields_are_named_at_once():
    with pytest.raises(InvalidInput) as refusal:
        add_mug(name="", price=Decimal(-1))

    assert wrong_fields(refusal) == {"name", "price"}


def test_invalid_change_is_refused_and_changes_nothing(published):
    add_mug()
    with pytest.raises(InvalidInput) as refusal:
        operations.change_product(sku="MUG", name="Big mug", price=Decimal(-1))

    assert wrong_fields(refusal) == {"price"}
    assert Product.objects.get().name == "Mug"
    assert len(published()) == 1


def test_changing_an_unknown_product_is_refused():
    with pytest.raises(InvalidInput) as refusal:
        operations.change_product(sku="GHOST", name="Boo")

    assert wrong_fields(refusal) == {"sku"}


def test_taken_location_code_is_refused():
    operations.add_location(code="north", name="North")
    with pytest.raises(InvalidInput) as refusal:
        operations.add_location(code="north", name="Also north")

    assert wrong_fields(refusal) == {"code"}
    assert Location.objects.get().name == "North"


def test_database_refuses_a_negative_price():
    add_mug()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE inventory_product SET price = -1")


def test_loading_a_fixture_announces_no_product(tmp_path, published):
    fields = {"sku": "MUG", "name": "Mug", "price": "9.90"}
    fields |= dict.fromkeys(("created_at", "changed_at"), "2026-01-01T00:00:00Z")
    (tmp_path / "products.json").write_text(
        json.dumps([{"model": "inventory.product", "pk": str(uuid4()), "fields": fields}])
    )
    call_command("loaddata", tmp_path / "products.json", verbosity=0)
    assert Product.objects.get().sku == "MUG"
    assert published() == []


def test_an_unknown_location_cannot_be_changed():
    with pytest.raises(InvalidInput) as refusal:
        operations.change_location(code="ghost", name="Ghost")
    assert wrong_fields(refusal) == {"code"}
    assert not Location.objects.exists()
