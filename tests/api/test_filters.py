"""Query parameters of lists: a wrong one is an error, never ignored."""

from uuid import uuid4

import pytest

from tests.api.clients import assert_problem, client_of, new_user

pytestmark = pytest.mark.django_db
LISTS = ("orders", "products", "stock", "movements", "locations", "events", "deliveries")
each_list = pytest.mark.parametrize("name", LISTS)


@pytest.fixture
def superuser():
    return client_of(new_user(is_staff=True, is_superuser=True))


@each_list
def test_an_unknown_parameter_is_an_error_that_lists_the_known_ones(superuser, name):
    problem = assert_problem(superuser.get(f"/api/v1/{name}/?colour=red"), 400, "colour")
    assert "cursor, page_size" in problem["errors"][0]["detail"]


@each_list
def test_page_size_is_a_known_parameter(superuser, name):
    assert superuser.get(f"/api/v1/{name}/?page_size=10").status_code == 200


@pytest.mark.parametrize(
    ("address", "parameter"),
    [
        ("orders/?customer_id=1", "customer_id"),
        ("orders/?customer_id=%20", "customer_id"),
        ("stock/?sku=%09", "sku"),
        ("movements/?order_id=%20%20", "order_id"),
        ("events/?type=%C2%A0", "type"),
        ("events/?subject=%E2%80%83", "subject"),
        ("movements/?order_id=x", "order_id"),
        ("movements/?event_id=%00", "event_id"),
        ("movements/?kind=stolen", "kind"),
        (f"movements/?sku={'x' * 65}", "sku"),
        ("movements/?sku=a%00b", "sku"),
        ("stock/?location=%00", "location"),
        ("events/?correlation_id=x", "correlation_id"),
        (f"events/?subject={'x' * 201}", "subject"),
        ("deliveries/?state=lost", "state"),
        ("deliveries/?state=DEAD", "state"),
        ("deliveries/?event_id=7", "event_id"),
    ],
)
def test_an_invalid_value_is_an_error_of_its_parameter(superuser, address, parameter):
    problem = assert_problem(superuser.get(f"/api/v1/{address}"), 400, parameter)
    assert problem["errors"][0]["detail"].endswith((".", ")."))


def test_the_error_of_an_invalid_choice_lists_the_choices(superuser):
    response = superuser.get("/api/v1/deliveries/?state=lost")
    assert "due, scheduled, retrying, waiting, dead" in str(assert_problem(response, 400, "state"))


def test_one_response_names_all_wrong_parameters(superuser):
    response = superuser.get("/api/v1/movements/?kind=x&order_id=x&colour=red&sku=")
    assert_problem(response, 400, "kind", "order_id", "colour", "sku")


@pytest.mark.parametrize("query", ["sku=", "sku=A&sku=B", "page_size=1&page_size=2", "cursor=&cursor="])
def test_a_parameter_has_exactly_one_value(superuser, query):
    assert_problem(superuser.get(f"/api/v1/stock/?{query}"), 400, query.partition("=")[0])


def test_the_response_to_many_wrong_parameters_is_short(superuser):
    query = "&".join(f"{number}{'x' * 60}=1" for number in range(60))
    response = superuser.get(f"/api/v1/stock/?{query}")
    assert response.status_code == 400
    assert len(response.content) < 3_000


def test_a_filter_does_not_show_orders_of_other_customers():
    ann, bob = new_user(), new_user()
    assert client_of(ann).get(f"/api/v1/orders/?customer_id={bob.pk}").json()["results"] == []
    assert client_of(ann).get(f"/api/v1/orders/?customer_id={uuid4()}").json()["results"] == []
