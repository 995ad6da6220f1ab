"""Stock, movements and locations over HTTP."""

from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from inventory import operations
from inventory.models import Location, Movement
from tests.api.clients import assert_problem, client_of, member_of
from tests.inventory.helpers import assert_ledger_holds, order_for, stock_figures, stocked

pytestmark = pytest.mark.django_db
STOCK = "/api/v1/stock/"
MOVEMENTS = "/api/v1/movements/"
LOCATIONS = "/api/v1/locations/"


@pytest.fixture
def staff() -> APIClient:
    return client_of(member_of("stock keeper"))


def get_fields(client, address, *fields, **query):
    response = client.get(address, query)
    assert response.status_code == 200, response.json()
    return [tuple(row[field] for field in fields) for row in response.json()["results"]]


def test_stock_lists_units_on_hand_reserved_and_available(staff):
    stocked("MUG", north=5)
    operations.reserve_stock(orders=[order_for(MUG=2)])
    assert staff.get(STOCK).json()["results"] == [
        {"sku": "MUG", "location": "north", "on_hand": 5, "reserved": 2, "available": 3}
    ]


def test_stock_is_filtered_by_product_and_by_location(staff):
    stocked("MUG", north=5, south=6)
    stocked("CUP", north=7)
    assert get_fields(staff, STOCK, "sku", "location", sku="MUG") == [("MUG", "south"), ("MUG", "north")]
    assert get_fields(staff, STOCK, "sku", "location", location="north") == [("CUP", "north"), ("MUG", "north")]
    assert get_fields(staff, STOCK, "on_hand", location="south", sku="MUG") == [(6,)]
    assert get_fields(staff, STOCK, "sku", sku="GHOST") == []


def test_movements_name_their_causes_and_are_filtered_by_them(staff):
    stocked("MUG", north=5)
    stocked("CUP", south=5)
    order = order_for(MUG=2)
    operations.reserve_stock(orders=[order])
    operations.adjust_stock(sku="CUP", location="south", quantity=-1, reason="one broke")
    of_order = [("MUG", "north", "reserved", 0, 2, 5, 2, str(order.order_id), str(order.id))]
    fields = ("sku", "location", "kind", "on_hand_delta", "reserved_delta", "on_hand_after", "reserved_after")
    for query in ({"order_id": str(order.order_id)}, {"event_id": str(order.id)}, {"kind": "reserved"}):
        assert get_fields(staff, MOVEMENTS, *fields, "order_id", "event_id", **query) == of_order
    assert get_fields(staff, MOVEMENTS, "kind", "reason", sku="CUP") == [
        ("adjusted", "one broke"),
        ("received", "first delivery"),
    ]
    assert get_fields(staff, MOVEMENTS, "kind", location="south", kind="received") == [("received",)]
    assert get_fields(staff, MOVEMENTS, "kind", order_id=str(uuid4())) == []


def test_receiving_adds_stock_and_records_the_user():
    stocked("MUG", north=5)
    user = member_of("stock keeper")
    body = {"sku": "MUG", "location": "north", "quantity": 3, "reason": "delivery 17"}
    response = client_of(user).post(f"{STOCK}receive/", body)
    assert response.status_code == 200
    assert response.json() == {"sku": "MUG", "location": "north", "on_hand": 8, "reserved": 0, "available": 8}
    last = Movement.objects.latest("id")
    assert (last.kind, last.on_hand_delta, last.actor_id, last.reason) == ("received", 3, user.pk, "delivery 17")
    assert_ledger_holds()


def test_adjusting_removes_or_adds_units(staff):
    stocked("MUG", north=5)
    body = {"sku": "MUG", "location": "north", "reason": "a count"}
    assert staff.post(f"{STOCK}adjust/", {**body, "quantity": -2}).json()["on_hand"] == 3
    assert staff.post(f"{STOCK}adjust/", {**body, "quantity": 4}).json()["on_hand"] == 7
    assert_ledger_holds()


def test_transfer_returns_both_stock_rows(staff):
    stocked("MUG", north=5, south=1)
    body = {"sku": "MUG", "source": "north", "target": "south", "quantity": 2, "reason": "more room"}
    response = staff.post(f"{STOCK}transfer/", body)
    assert response.status_code == 200
    assert {name: stock["on_hand"] for name, stock in response.json().items()} == {"source": 3, "target": 3}
    assert_ledger_holds()


@pytest.mark.parametrize("what", ["adjust", "transfer"])
def test_reserved_units_cannot_be_removed_or_transferred(staff, what):
    stocked("MUG", north=5, south=0)
    operations.reserve_stock(orders=[order_for(MUG=4)])
    places = {"location": "north"} if what == "adjust" else {"source": "north", "target": "south"}
    body = {"sku": "MUG", "quantity": -2 if what == "adjust" else 2, "reason": "x", **places}
    assert "at most 1" in str(assert_problem(staff.post(f"{STOCK}{what}/", body), 400, "quantity"))
    assert stock_figures("MUG", "north") == (5, 4)


@pytest.mark.parametrize("what", ["receive", "adjust", "transfer"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("quantity", value) for value in (0, 10**12, -(10**12), 10**30, "1", 1.5, True, None)),
        *(("sku", value) for value in ("GHOST", "", None, 1, "a\0b", "x" * 65)),
        *(("reason", value) for value in (None, 1, "x" * 501, "a\0b")),
        *(("place", value) for value in ("ghost", "", None, 1, "x" * 65)),
        ("actor_id", str(UUID(int=1))),
    ],
)
def test_invalid_field_is_named_and_nothing_is_moved(staff, what, field, value):
    stocked("MUG", north=5, south=5)
    movements = Movement.objects.count()
    place = "source" if what == "transfer" else "location"
    body = {"sku": "MUG", "quantity": 1, "reason": "x", place: "north"}
    body |= {"target": "south"} if what == "transfer" else {}
    field = place if field == "place" else field
    assert_problem(staff.post(f"{STOCK}{what}/", {**body, field: value}), 400, field)
    assert Movement.objects.count() == movements


@pytest.mark.parametrize("reason", ["", "   "])
@pytest.mark.parametrize("what", ["adjust", "transfer"])
def test_adjusting_and_transferring_require_a_reason(staff, what, reason):
    stocked("MUG", north=5, south=5)
    places = {"location": "north"} if what == "adjust" else {"source": "north", "target": "south"}
    body = {"sku": "MUG", "quantity": 1, "reason": reason, **places}
    assert_problem(staff.post(f"{STOCK}{what}/", body), 400, "reason")


def test_all_missing_fields_are_named_at_once(staff):
    assert_problem(staff.post(f"{STOCK}receive/", {}), 400, "sku", "location", "quantity")
    assert_problem(staff.post(f"{STOCK}transfer/", {}), 400, "sku", "source", "target", "quantity", "reason")


def test_locations_are_added_listed_and_changed(staff):
    added = staff.post(LOCATIONS, {"code": "west", "name": "West", "priority": 3})
    assert added.status_code == 201
    assert added.json() == {"code": "west", "name": "West", "priority": 3, "active": True}
    changed = staff.patch(f"{LOCATIONS}west/", {"active": False, "priority": -1})
    assert changed.json() == {**added.json(), "active": False, "priority": -1}
    assert staff.get(f"{LOCATIONS}west/").json() == changed.json()
    assert staff.get(LOCATIONS).json()["results"] == [changed.json()]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("code", value) for value in ("", "a b", "x" * 65, "north", 1)),
        *(("name", value) for value in ("", "x" * 201, None)),
        *(("priority", value) for value in ("1", 2**31, 32_768, -32_769, 1.5, None)),
        ("id", 1),
    ],
)
def test_invalid_location_names_its_field(staff, field, value):
    stocked("MUG", north=5)
    assert_problem(staff.post(LOCATIONS, {"code": "west", "name": "West", field: value}), 400, field)
    if field in ("name", "priority"):
        assert_problem(staff.patch(f"{LOCATIONS}north/", {field: value}), 400, field)
    assert_problem(staff.patch(f"{LOCATIONS}north/", {"code": "west"}), 400, "code")
    assert Location.objects.get().name == "North"


def test_unknown_location_is_a_404(staff):
    assert_problem(staff.patch(f"{LOCATIONS}ghost/", {"name": "Ghost"}), 404)
    assert_problem(staff.get(f"{LOCATIONS}ghost/"), 404)


@pytest.mark.parametrize("address", [STOCK, MOVEMENTS, LOCATIONS, f"{MOVEMENTS}?sku=S0", f"{STOCK}?location=a"])
def test_list_takes_four_queries_for_any_length(staff, address):
    counts = []
    for number in range(20):
        stocked(f"S{number}", a=1, **{f"l{number}": 1})
        if number in (0, 19):
            with CaptureQueriesContext(connection) as captured:
                assert staff.get(address).status_code == 200
            counts.append(len(captured))
    assert counts == [4, 4], "one query each for the user, its permissions, those of its groups, and the rows"


@pytest.mark.parametrize("address", [STOCK, MOVEMENTS, LOCATIONS])
def test_pages_cover_all_rows_without_overlap(staff, address):
    for number in range(5):
        stocked(f"S{number}", **{f"l{number}": 1})
    everything, page, pages = staff.get(address).json()["results"], f"{address}?page_size=2", []
    while page:
        answer = staff.get(page).json()
        pages += answer["results"]
        page = answer["next"]
    assert pages == everything
    assert len(pages) == 5


@pytest.mark.parametrize("cursor", ["cD14", "cD0lMDA=", "cD0xLjU="], ids=["p=x", "p=%00", "p=1.5"])
def test_forged_cursor_is_refused(staff, cursor):
    stocked("MUG", north=1)
    assert_problem(staff.get(MOVEMENTS, {"cursor": cursor}), 400, "cursor")


@pytest.mark.parametrize(
    ("cursor", "quantities"),
    [("cD0tMQ==", []), ("cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", [(1,)])],
    ids=["p=-1", "p=9999999999999999999999999"],
)
def test_forged_cursor_out_of_range_gives_an_empty_or_a_full_page(staff, cursor, quantities):
    stocked("MUG", north=1)
    assert get_fields(staff, MOVEMENTS, "on_hand_delta", cursor=cursor) == quantities


def test_movements_are_listed_newest_first(staff):
    stocked("MUG", north=1)
    for quantity in (2, 3, 4):
        operations.receive_stock(sku="MUG", location="north", quantity=quantity, actor_id=UUID(int=1))
    assert [row[0] for row in get_fields(staff, MOVEMENTS, "on_hand_after")] == [10, 6, 3, 1]
