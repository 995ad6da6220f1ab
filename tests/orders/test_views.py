"""Reading and cancelling orders over HTTP."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.models import Order
from orders.operations import confirm_orders
from project.events import Line, StockReserved
from tests.api.clients import assert_problem, client_of, member_of, new_user

pytestmark = pytest.mark.django_db
ORDERS = "/api/v1/orders/"


def test_customers_see_their_own_orders_newest_first(place):
    ann, bob = new_user(), new_user()
    orders = [place(customer_id=ann.pk) for _ in range(3)]
    place(customer_id=bob.pk)
    results = client_of(ann).get(ORDERS).json()["results"]
    assert [order["id"] for order in results] == [str(order.pk) for order in reversed(orders)]
    assert results[0]["lines"][0]["sku"] == "TEA"


def test_staff_see_all_orders(place):
    order = place()
    client = client_of(member_of("shop staff"))
    assert [row["id"] for row in client.get(ORDERS).json()["results"]] == [str(order.pk)]
    assert client.get(f"{ORDERS}{order.pk}/").status_code == 200
    assert client.get(f"{ORDERS}{order.pk}/history/").status_code == 200
    assert client.post(f"{ORDERS}{order.pk}/cancel/", {}).status_code == 200


def test_orders_are_filtered_by_status_and_by_customer_for_staff(place):
    ann, bob = new_user(), new_user()
    first, second, third = (place(customer_id=user.pk) for user in (ann, ann, bob))
    client_of(ann).post(f"{ORDERS}{first.pk}/cancel/", {})
    staff = client_of(member_of("shop staff"))

    def ids(client, **query):
        return [row["id"] for row in client.get(ORDERS, query).json()["results"]]

    assert ids(staff, status="placed") == [str(third.pk), str(second.pk)]
    assert ids(staff, customer_id=str(ann.pk)) == [str(second.pk), str(first.pk)]
    assert ids(staff, customer_id=str(ann.pk), status="cancelled") == [str(first.pk)]
    assert ids(client_of(ann), status="placed") == [str(second.pk)]
    assert ids(client_of(bob), customer_id=str(ann.pk)) == []
    assert_problem(staff.get(ORDERS, {"status": "lost"}), 400, "status")


def test_order_of_another_customer_is_a_404(place):
    order = place()
    client = client_of(new_user())
    others = assert_problem(client.get(f"{ORDERS}{order.pk}/"), 404)
    unknown = assert_problem(client.get(f"{ORDERS}{uuid4()}/"), 404)
    assert others | {"instance": ""} == unknown | {"instance": ""}
    assert_problem(client.get(f"{ORDERS}{order.pk}/history/"), 404)
    assert_problem(client.post(f"{ORDERS}{order.pk}/cancel/", {}), 404)
    assert_problem(client.post(f"{ORDERS}{order.pk}/cancel/", {"reason": 1}), 404)
    assert Order.objects.get().status == "placed"


@pytest.mark.parametrize("path", ["", "{}/", "{}/history/"])
def test_reading_orders_requires_a_token(path, place):
    assert_problem(client_of().get(ORDERS + path.format(place().pk)), 401)


def test_pages_cover_all_orders_without_overlap(place):
    ann = new_user()
    orders = [place(customer_id=ann.pk) for _ in range(5)]
    client, address, seen, pages = client_of(ann), f"{ORDERS}?page_size=2", [], 0
    while address:
        page = client.get(address).json()
        seen += [order["id"] for order in page["results"]]
        address, pages = page["next"], pages + 1
    assert pages == 3
    assert seen == [str(order.pk) for order in reversed(orders)]
    assert client.get(page["previous"]).json()["results"][0]["id"] == seen[2]


def test_list_takes_the_same_statements_for_any_length(place, catalogue):
    ann = new_user()
    client, statements = client_of(ann), []
    catalogue("CUP")
    for count in (1, 20):
        for _ in range(count):
            place(customer_id=ann.pk, lines=[Line(sku="TEA", quantity=1), Line(sku="CUP", quantity=1)])
        with CaptureQueriesContext(connection) as queries:
            assert len(client.get(ORDERS).json()["results"]) >= count
        statements.append(len(queries))
    assert statements == [3, 3], "one statement each for the user, the orders and their lines"


def test_history_lists_each_change_with_its_cause(place):
    ann = new_user()
    order = place(customer_id=ann.pk)
    event = StockReserved(order_id=order.pk)
    confirm_orders(reserved=[event])
    client = client_of(ann)
    client.post(f"{ORDERS}{order.pk}/cancel/", {"reason": "Too late."})
    changes = client.get(f"{ORDERS}{order.pk}/history/").json()["results"]
    assert [(change["sequence"], change["from_status"], change["to_status"]) for change in changes] == [
        (1, "", "placed"),
        (2, "placed", "confirmed"),
        (3, "confirmed", "cancelled"),
    ]
    assert [change["event_id"] for change in changes] == [None, str(event.id), None]
    assert [change["actor_id"] for change in changes] == [None, None, str(ann.pk)]
    assert changes[2]["reason"] == "Too late."
    assert changes[0]["at"] <= changes[1]["at"] <= changes[2]["at"]


def test_a_customer_sees_neither_who_of_the_staff_cancelled_nor_why(place):
    ann, clerk = new_user(), member_of("shop staff")
    order = place(customer_id=ann.pk)
    internal, message = "Looks like a fraud.", "We cannot deliver to you."
    address = f"{ORDERS}{order.pk}/"
    cancelled = client_of(clerk).post(f"{address}cancel/", {"reason": internal, "message": message})
    assert cancelled.json()["reason"] == message

    to_ann = [client_of(ann).get(address + page) for page in ("", "history/")] + [client_of(ann).get(ORDERS)]
    for answer in to_ann:
        assert message in answer.content.decode()
        assert internal not in answer.content.decode()
        assert str(clerk.pk) not in answer.content.decode()
    assert to_ann[1].json()["results"][1]["actor_id"] is None

    change = client_of(clerk).get(f"{address}history/").json()["results"][1]
    assert (change["actor_id"], change["reason"]) == (str(clerk.pk), internal)


def test_staff_without_permission_see_their_own_orders_as_customers_do(place):
    cook, clerk = new_user(is_staff=True), member_of("shop staff")
    order = place(customer_id=cook.pk)
    client_of(clerk).post(f"{ORDERS}{order.pk}/cancel/", {"reason": "internal"})
    change = client_of(cook).get(f"{ORDERS}{order.pk}/history/").json()["results"][1]
    assert (change["actor_id"], change["reason"]) == (None, "Cancelled by the shop.")


def test_a_message_from_a_customer_is_refused(place):
    ann = new_user()
    order = place(customer_id=ann.pk)
    problem = assert_problem(client_of(ann).post(f"{ORDERS}{order.pk}/cancel/", {"message": "Hello."}), 400, "message")
    assert "Only staff" in problem["errors"][0]["detail"]
    assert Order.objects.get().status == "placed"


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "Changed my mind."}])
def test_owner_cancels_with_or_without_a_reason(body, place):
    ann = new_user()
    order = place(customer_id=ann.pk)
    response = client_of(ann).post(f"{ORDERS}{order.pk}/cancel/", body)
    assert response.status_code == 200
    assert response.json()["status"] == "cancelled"
    assert response.json()["reason"] == ((body or {}).get("reason") or "")
    assert client_of(ann).get(f"{ORDERS}{order.pk}/").json() == response.json()


def test_cancelling_a_cancelled_order_is_a_409_with_an_explanation(place):
    ann = new_user()
    order = place(customer_id=ann.pk)
    client = client_of(ann)
    client.post(f"{ORDERS}{order.pk}/cancel/", {})
    problem = assert_problem(client.post(f"{ORDERS}{order.pk}/cancel/", {}), 409)
    assert problem["type"] == "urn:orderly:problem:order-status-forbids"
    assert "is cancelled" in problem["detail"]


@pytest.mark.parametrize("reason", [1, None, [], "x" * 501, "a\0b"])
def test_invalid_reason_names_its_field(reason, place):
    ann = new_user()
    order = place(customer_id=ann.pk)
    assert_problem(client_of(ann).post(f"{ORDERS}{order.pk}/cancel/", {"reason": reason}), 400, "reason")
    assert Order.objects.get().status == "placed"
