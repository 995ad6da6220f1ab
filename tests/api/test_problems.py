"""Every error under /api/ is a problem document (RFC 9457)."""

import json
from uuid import uuid4

import pytest
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from orders import operations
from tests.api.clients import assert_problem, client_of, new_user

pytestmark = pytest.mark.django_db
ORDERS = "/api/v1/orders/"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/nothing/", "/api/v1/orders", "/api/v1/orders/1/", "/api/v2/orders/"]
)
def test_an_unknown_route_is_a_404_for_each_method(settings, path, method, debug):
    settings.DEBUG = debug
    problem = assert_problem(getattr(client_of(), method)(path), 404)
    assert "Check the address" in problem["detail"]


def test_an_unknown_route_needs_no_csrf_token():
    response = APIClient(enforce_csrf_checks=True).post("/api/v1/nothing/", {}, format="json")
    assert_problem(response, 404)


def test_the_401_without_a_token_says_where_to_get_one():
    response = client_of().get(ORDERS)
    assert "/api/v1/auth/token/" in assert_problem(response, 401)["detail"]
    assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header", ["Bearer x.y.z", "Bearer", "Bearer a b", "Bearer \xff"])
def test_a_broken_token_is_a_401(header):
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=header)
    assert "/api/v1/auth/token/" in assert_problem(client.get(ORDERS), 401)["detail"]


def test_the_token_of_a_deleted_or_deactivated_user_is_a_401():
    deleted, inactive = new_user(), new_user(is_active=False)
    clients = [client_of(deleted), client_of(inactive)]
    deleted.delete()
    for client in clients:
        assert_problem(client.get(ORDERS), 401)


def test_a_refresh_token_does_not_open_the_api():
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(new_user())}")
    assert_problem(client.get(ORDERS), 401)


def test_a_token_without_a_user_is_a_401():
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken()}")
    assert_problem(client.get(ORDERS), 401)


def test_a_wrong_method_is_a_405_that_lists_the_allowed_ones():
    response = client_of(new_user()).delete(ORDERS)
    assert "GET, POST" in assert_problem(response, 405)["detail"]
    assert "GET, POST" in response["Allow"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "nonsense"]
)
def test_a_body_that_is_not_json_is_a_415_that_says_what_to_send(content_type):
    response = client_of(new_user()).generic("POST", ORDERS, "lines=1", content_type=content_type)
    assert "application/json" in assert_problem(response, 415)["detail"]


def test_an_unsupported_accept_header_is_a_406():
    assert_problem(client_of(new_user()).get(ORDERS, HTTP_ACCEPT="text/csv"), 406)


@pytest.mark.parametrize(
    "body",
    [
        b'{"lines": [',
        b"{'lines': []}",
        b"NaN",
        b'{"lines": NaN}',
        b"\xff\xfe",
        b'{"lines": "\\ud800"}',
        b'{"\\ud800\\ud800": 1}',
        b"[" * 100_000,
        b'{"lines": [{"sku": "A", "quantity": ' + b"9" * 5_000 + b"}]}",
        b"{} {}",
    ],
)
def test_broken_json_is_a_400_that_says_what_is_wrong(body):
    response = client_of(new_user()).generic("POST", ORDERS, body, content_type="application/json")
    assert "JSON" in assert_problem(response, 400, "body")["detail"]


@pytest.mark.parametrize("body", ["[]", '"lines"', "1", "null", "true"])
def test_json_other_than_an_object_is_a_400_about_the_body(body):
    response = client_of(new_user()).generic("POST", ORDERS, body, content_type="application/json")
    assert_problem(response, 400, "body")


def test_the_error_of_an_unknown_field_lists_the_known_ones():
    body = {"lines": [{"sku": "A", "quantity": 1, "price": 0}], "status": "confirmed"}
    response = client_of(new_user()).post(ORDERS, body)
    problem = assert_problem(response, 400, "lines[0].price", "status")
    assert "Fields: lines." in str(problem)


def test_the_response_to_many_unknown_fields_is_short():
    body = {f"{number}-{'x' * 100}": 1 for number in range(5_000)}
    response = client_of(new_user()).post(ORDERS, body)
    assert response.status_code == 400
    assert len(response.content) < 5_000


@pytest.mark.parametrize("declared", [1_000_001, 10**12, 10**30])
def test_a_body_that_is_too_large_is_a_413_before_it_is_read(declared):
    response = client_of(new_user()).generic(
        "POST", ORDERS, "{}", content_type="application/json", CONTENT_LENGTH=str(declared)
    )
    assert "1000000 bytes" in assert_problem(response, 413)["detail"]


def test_a_body_of_a_million_bytes_is_read():
    body = json.dumps({"lines": "x" * (1_000_000 - 13)})
    assert len(body) == 1_000_000
    response = client_of(new_user()).generic("POST", ORDERS, body, content_type="application/json")
    assert_problem(response, 400, "lines")


def test_a_body_of_undeclared_length_is_a_411():
    response = client_of(new_user()).generic(
        "POST", ORDERS, "", content_type="application/json", HTTP_TRANSFER_ENCODING="chunked"
    )
    assert "Content-Length" in assert_problem(response, 411)["detail"]


@pytest.mark.parametrize("debug", [False, True])
def test_an_unexpected_exception_in_a_view_is_a_500_without_details(settings, monkeypatch, caplog, debug):
    settings.DEBUG = debug

    def crash(**_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(operations, "place_order", crash)
    response = client_of(new_user()).post(ORDERS, {"lines": [{"sku": "A", "quantity": 1}]})
    assert_problem(response, 500)
    assert b"secret" not in response.content
    assert any(record.exc_info for record in caplog.records), "the traceback is in the log"


@pytest.mark.urls("tests.api.routes")
@pytest.mark.parametrize("debug", [False, True])
class TestErrorsOutsideDRF:
    """Errors that Django answers, not a view of the REST framework."""

    @pytest.fixture(autouse=True)
    def _debug(self, settings, debug):
        settings.DEBUG = debug
        settings.DEBUG_PROPAGATE_EXCEPTIONS = False

    def test_a_crash_is_a_500_without_details(self):
        response = client_of().get("/api/v1/crash/")
        assert_problem(response, 500)
        assert b"secret" not in response.content

    def test_permission_denied_is_a_403(self):
        assert_problem(client_of().get("/api/v1/forbid/"), 403)

    def test_an_unknown_host_is_a_400(self):
        problem = assert_problem(client_of().get("/api/v1/products/", HTTP_HOST="evil.example"), 400)
        assert "headers" in problem["detail"]

    @pytest.mark.parametrize(("path", "status"), [("/crash/", 500), ("/forbid/", 403), ("/nothing/", 404)])
    def test_outside_the_api_an_error_is_a_page(self, path, status):
        response = client_of().get(path)
        assert response.status_code == status
        assert response["Content-Type"].startswith("text/html")

    def test_outside_the_api_an_unknown_host_is_a_page(self):
        response = client_of().get("/admin/", HTTP_HOST="evil.example")
        assert response.status_code == 400
        assert response["Content-Type"].startswith("text/html")


@pytest.mark.parametrize("page_size", ["0", "-1", "201", "x", "1.5", "", "9" * 400, "²", "0000000100999"])
def test_an_invalid_page_size_is_an_error_of_that_parameter(page_size):
    response = client_of(new_user()).get(ORDERS, {"page_size": page_size})
    assert "from 1 to 200" in str(assert_problem(response, 400, "page_size"))


@pytest.mark.parametrize(
    "cursor", ["x", "////", "cD14", "cD0wMDAw", "cD0lMDA="], ids=["x", "////", "p=x", "p=0000", "p=%00"]
)
def test_a_forged_cursor_is_an_error_of_that_parameter(cursor):
    assert_problem(client_of(new_user()).get(ORDERS, {"cursor": cursor}), 400, "cursor")


def test_a_forged_cursor_beyond_the_end_is_an_empty_page():
    response = client_of(new_user()).get(ORDERS, {"cursor": "bz05OTk5OTk5OTk5OTk5"})  # o=9999999999999
    assert (response.status_code, response.json()["results"]) == (200, [])


def test_unknown_ids_are_404s():
    client = client_of(new_user())
    assert_problem(client.get(f"{ORDERS}{uuid4()}/"), 404)
    assert_problem(client.get(f"{ORDERS}{uuid4()}/history/"), 404)
    assert_problem(client.post(f"{ORDERS}{uuid4()}/cancel/", {}), 404)
