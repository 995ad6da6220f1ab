"""Orders' own copy of the catalogue."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orders.models import CatalogueItem
from orders.operations import keep_catalogue
from project.events import ProductChanged

pytestmark = pytest.mark.django_db


def change(sku: str = "TEA", sequence: int | None = 1, price: str = "1.00", **fields: Any) -> ProductChanged:
    known: dict[str, Any] = {"name": f"{sku} {sequence}", "currency": "EUR", "active": True} | fields
    return ProductChanged(sku=sku, sequence=sequence, price=Decimal(price), **known)


def stored_sequences() -> dict[str, int]:
    return dict(CatalogueItem.objects.values_list("sku", "sequence"))


def test_new_and_changed_products_are_copied():
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
def test_latest_state_wins_for_any_order_and_batching_of_changes(data):
    CatalogueItem.objects.all().delete()
    changes = [change(sku, sequence) for sku in ("TEA", "CUP") for sequence in (1, 2, 3)]
    arriving = data.draw(st.permutations(changes + data.draw(st.lists(st.sampled_from(changes), max_size=4))))
    while arriving:
        size = data.draw(st.integers(1, len(arriving)))
        keep_catalogue(changes=arriving[:size])
        arriving = arriving[size:]
    assert stored_sequences() == {"TEA": 3, "CUP": 3}
    assert CatalogueItem.objects.get(sku="TEA").name == "TEA 3"


def test_change_without_a_sequence_is_refused():
    with pytest.raises(ValueError, match="sequence"):
        keep_catalogue(changes=[change("CUP"), change(sequence=None)])
    assert stored_sequences() == {}


def test_a_hundred_changes_take_one_statement():
    for count in (1, 100):
        with CaptureQueriesContext(connection) as queries:
            keep_catalogue(changes=[change(f"S{number}") for number in range(count)])
        assert [query["sql"].split()[0] for query in queries] == ["SAVEPOINT", "WITH", "RELEASE"]
    keep_catalogue(changes=[])
    assert len(stored_sequences()) == 100
