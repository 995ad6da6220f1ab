"""Orders' own copy of what is for sale."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.models import CatalogueItem
from orders.operations import keep_catalogue
from project.events import ProductChanged

pytestmark = pytest.mark.django_db


def change(sku: str = "TEA", sequence: int | None = 1, price: str = "1.00", **fields) -> ProductChanged:
    known = {"name": f"{sku} {sequence}", "currency": "EUR", "active": True} | fields
    return ProductChanged(sku=sku, sequence=sequence, price=Decimal(price), **known)


def copies() -> dict[str, int]:
    return dict(CatalogueItem.objects.values_list("sku", "sequence"))


def test_a_product_is_copied_and_its_changes_too():
    keep_catalogue(changes=[change(price="1234567890.12", name="Tee, grün", currency="USD", active=False)])
    item = CatalogueItem.objects.get()
    assert (item.name, item.price, item.currency) == ("Tee, grün", Decimal("1234567890.12"), "USD")
    assert not item.active
    keep_catalogue(changes=[change(sequence=2)])
    item.refresh_from_db()
    assert (item.name, item.price, item.currency, item.sequence) == ("TEA 2", Decimal("1.00"), "EUR", 2)
    assert item.active


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(st.data())
def test_the_latest_state_wins_in_whatever_order_and_batches_changes_come(data):
    CatalogueItem.objects.all().delete()
    changes = [change(sku, sequence) for sku in ("TEA", "CUP") for sequence in (1, 2, 3)]
    arriving = data.draw(st.permutations(changes + data.draw(st.lists(st.sampled_from(changes), max_size=4))))
    while arriving:
        size = data.draw(st.integers(1, len(arriving)))
        keep_catalogue(changes=arriving[:size])
        arriving = arriving[size:]
    assert copies() == {"TEA": 3, "CUP": 3}
    assert CatalogueItem.objects.get(sku="TEA").name == "TEA 3"


def test_a_change_that_does_not_say_which_state_it_is_is_refused():
    with pytest.raises(ValueError, match="sequence"):
        keep_catalogue(changes=[change("CUP"), change(sequence=None)])
    assert copies() == {}


def test_a_hundred_changes_are_one_statement():
    for count in (1, 100):
        with CaptureQueriesContext(connection) as queries:
            keep_catalogue(changes=[change(f"S{number}") for number in range(count)])
        assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "INSERT", "RELEASE"]
    keep_catalogue(changes=[])
    assert len(copies()) == 100
