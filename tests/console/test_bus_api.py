"""The REST API of the bus: events, deliveries, dead letters and retries."""

from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from project.bus import PermanentError, publish
from project.bus.models import Delivery, Receipt
from project.events import OrderConfirmed, OrderPlaced
from tests.api.clients import assert_problem, client_of, new_user
from tests.bus.helpers import last_audit_entry
from users.models import User

pytestmark = pytest.mark.django_db
EVENTS = "/api/v1/events/"
DELIVERIES = "/api/v1/deliveries/"


@pytest.fixture
def operator(db):
    client = client_of(new_user(is_staff=True, is_superuser=True))
    # Creating the account publishes an event, whose deliveries the tests do not count.
    Delivery.objects.all().delete()
    return client


def confirmed(number=1, **fields):
    """Publish the given number of events."""
    events = [OrderConfirmed(order_id=uuid4(), customer_id=uuid4(), sequence=2, **fields) for _ in range(number)]
    with transaction.atomic():
        publish(*events)
    return events


def rows(client, address, **query):
    response = client.get(address, query)
    assert response.status_code == 200, response.json()
    return response.json()["results"]


def test_events_are_listed_newest_first_with_all_their_fields(operator):
    first, second = confirmed(2)
    listed = rows(operator, EVENTS)[:2]
    assert [row["id"] for row in listed] == [str(second.id), str(first.id)]
    assert listed[0] | {"time": ""} == {
        "id": str(second.id),
        "type": "orders.order_confirmed",
        "version": 1,
        "subject": str(second.order_id),
        "sequence": 2,
        "time": "",
        "data": {"order_id": str(second.order_id), "customer_id": str(second.customer_id)},
        "correlation_id": str(second.id),
        "causation_id": None,
    }


def test_events_are_filtered_by_type_subject_and_chain(operator):
    (cause,) = confirmed()
    (effect,) = confirmed(cause=cause)
    (other,) = confirmed()
    ids = [str(effect.id), str(cause.id)]
    assert [row["id"] for row in rows(operator, EVENTS, correlation_id=str(cause.id))] == ids
    assert [row["causation_id"] for row in rows(operator, EVENTS, subject=str(effect.order_id))] == [str(cause.id)]
    assert [row["id"] for row in rows(operator, EVENTS, type="orders.order_confirmed")] == [str(other.id), *ids]
    assert rows(operator, EVENTS, type="orders.order_placed") == []


def test_an_event_shows_its_state_at_each_handler(operator, subscribed, drain):
    def fails(event: OrderConfirmed) -> None:
        raise PermanentError("unknown product")

    def works(event: OrderConfirmed) -> None: ...

    subscribed(fails, OrderConfirmed)
    subscribed(works, OrderConfirmed)
    (event,) = confirmed()
    drain()
    shown = operator.get(f"{EVENTS}{event.id}/").json()
    states = {row["handler"]: (row["state"], row["attempts"]) for row in shown["deliveries"]}
    assert states["console.fails"] == ("dead", 1)
    assert states["console.works"] == ("done", 1)
    assert all(row["event_id"] == str(event.id) and row["settled_at"] for row in shown["deliveries"])


def test_deliveries_are_filtered_by_state_handler_and_event(operator):
    due, scheduled, retrying, waiting, dead = confirmed(5)
    handler = Delivery.objects.filter(event_id=due.id).values_list("handler", flat=True)[0]
    Delivery.objects.filter(event_id=scheduled.id).update(due_at="2999-01-01T00:00:00Z")
    Delivery.objects.filter(event_id=retrying.id).update(attempts=2)
    Delivery.objects.filter(event_id=waiting.id).update(waits_for="orders.order_confirmed version 9")
    Delivery.objects.filter(event_id=dead.id).update(attempts=8, dead_at="2026-01-01T00:00:00Z")
    states = {"due": due, "scheduled": scheduled, "retrying": retrying, "waiting": waiting, "dead": dead}
    for state, event in states.items():
        found = rows(operator, DELIVERIES, state=state, handler=handler)
        assert [(row["event_id"], row["state"], row["handler"]) for row in found] == [(str(event.id), state, handler)]
        assert {row["state"] for row in rows(operator, DELIVERIES, event_id=str(event.id))} == {state}
    assert len(rows(operator, DELIVERIES)) == Delivery.objects.count()
    assert rows(operator, DELIVERIES, handler="nobody") == []


# On PostgreSQL now() does not advance in a transaction, so a delivery that is due now would not become due in it.
@pytest.mark.django_db(transaction=True)
def test_a_dead_letter_shows_its_traceback_and_is_done_after_a_retry(operator, subscribed, drain):
    broken = [True]

    def repaired_later(event: OrderConfirmed) -> None:
        if broken:
            raise PermanentError("the product is missing")

    subscribed(repaired_later, OrderConfirmed)
    (event,) = confirmed()
    drain()
    (dead,) = rows(operator, DELIVERIES, state="dead")
    assert (dead["handler"], dead["event_type"], dead["subject"]) == (
        "console.repaired_later",
        "orders.order_confirmed",
        str(event.order_id),
    )
    (failure,) = operator.get(f"{DELIVERIES}{dead['id']}/").json()["failures"]
    assert "the product is missing" in failure["traceback"]
    assert failure["attempt"] == 1

    broken.clear()
    answer = operator.post(f"{DELIVERIES}retry/", {"ids": [dead["id"], dead["id"], 10**15]})
    assert answer.status_code == 200
    assert answer.json() == {"retried": 1, "left_alone": 1}
    actor = User.objects.get(is_superuser=True).pk
    assert last_audit_entry() == (str(actor), "retry", {"ids": [dead["id"], 10**15]}, {"deliveries": 1})
    retried = operator.get(f"{DELIVERIES}{dead['id']}/").json()
    assert (retried["state"], retried["attempts"], retried["settled_at"]) == ("due", 0, None)
    drain()
    done = operator.get(f"{DELIVERIES}{dead['id']}/").json()
    assert (done["state"], done["due_at"], len(done["failures"])) == ("done", None, 1)
    assert done["settled_at"]
    assert Receipt.objects.get(pk=dead["id"]).outcome == "done"
    assert operator.post(f"{DELIVERIES}retry/", {"ids": [dead["id"]]}).json() == {"retried": 0, "left_alone": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "ids"),
        ({"ids": []}, "ids"),
        ({"ids": 1}, "ids"),
        ({"ids": None}, "ids"),
        ({"ids": ["1"]}, "ids[0]"),
        ({"ids": [1, 0]}, "ids[1]"),
        ({"ids": [True]}, "ids[0]"),
        ({"ids": [2**63]}, "ids[0]"),
        ({"ids": ["x"] * 1001}, "ids"),
        ({"ids": [1], "all": True}, "all"),
    ],
)
def test_an_invalid_retry_names_its_field_and_retries_nothing(operator, body, field):
    confirmed()
    Delivery.objects.update(attempts=8, dead_at="2026-01-01T00:00:00Z")
    assert_problem(operator.post(f"{DELIVERIES}retry/", body), 400, field)
    assert not Delivery.objects.filter(dead_at=None).exists()


def test_unknown_ids_are_404s(operator):
    assert_problem(operator.get(f"{EVENTS}{uuid4()}/"), 404)
    assert_problem(operator.get(f"{DELIVERIES}1000000000000/"), 404)
    assert_problem(operator.get(f"{DELIVERIES}{10**40}/"), 404)
    assert_problem(operator.get(f"{DELIVERIES}-1/"), 404)


@pytest.mark.parametrize(
    "address", [EVENTS, DELIVERIES, f"{DELIVERIES}?state=due", f"{EVENTS}?type={OrderPlaced.wire_name}"]
)
def test_a_list_takes_two_queries_for_any_number_of_rows(operator, address):
    counts = []
    for number in (1, 30):
        confirmed(number)
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(address).status_code == 200
        counts.append(len(captured))
    assert counts == [2, 2], "one for the user, one for the rows"


def test_an_event_and_a_delivery_take_a_fixed_number_of_queries(operator):
    (event,) = confirmed()
    delivery = Delivery.objects.filter(event_id=event.id)[0]
    for address, queries in ((f"{EVENTS}{event.id}/", 4), (f"{DELIVERIES}{delivery.pk}/", 3)):
        with CaptureQueriesContext(connection) as captured:
            assert operator.get(address).status_code == 200
        assert len(captured) == queries


def test_the_pages_of_a_list_have_each_row_once(operator):
    confirmed(7)
    for address in (EVENTS, DELIVERIES):
        everything, page, pages = rows(operator, address), f"{address}?page_size=3", []
        while page:
            answer = operator.get(page).json()
            pages += answer["results"]
            page = answer["next"]
        assert pages == everything
        assert len(pages) >= 7
