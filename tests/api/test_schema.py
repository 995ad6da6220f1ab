"""The OpenAPI description is valid and complete, and the page that shows it comes from this machine alone."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command

from tests.api.test_permissions import ROWS

METHODS = ("get", "post", "put", "patch", "delete")
FOREIGN = re.compile(r"https?:(?!//(?:127\.0\.0\.1|localhost))//[^\s\"'<>]+")


@pytest.fixture
def schema(client):
    response = client.get("/api/schema/")
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"
    return response.json()


def operations(schema):
    return {
        (method.upper(), path): operation
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if method in METHODS
    }


def test_it_is_made_without_a_warning_and_valid(tmp_path):
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yaml"))
    assert (tmp_path / "schema.yaml").read_text().startswith("openapi: 3")


def test_it_describes_every_route_of_the_api_and_no_other(schema):
    assert set(operations(schema)) == {row for row in ROWS if row[1].startswith("/api/v1/")}


def test_every_operation_says_what_it_does_and_for_whom(schema):
    for key, operation in operations(schema).items():
        assert operation["summary"], key
        assert re.search(r"For .+\.$", operation["description"]), key
    ids = [operation["operationId"] for operation in operations(schema).values()]
    assert len(ids) == len(set(ids))


def test_it_says_what_the_table_of_permissions_says(schema):
    for key, operation in operations(schema).items():
        nobody, _owner, another, staff, _permitted = ROWS[key]
        assert ("401" in operation["responses"]) == (nobody == 401 or "/auth/" in key[1]), key
        assert ("403" in operation["responses"]) == (another == 403), key
        assert ("with the permission" in operation["description"]) == (staff == 403), key
        assert str(ROWS[key][4]) in operation["responses"], key


def test_errors_are_problem_documents(schema):
    for operation in operations(schema).values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
                assert response["content"] == {"application/problem+json": reference}
    problem = schema["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "instance"}


def test_filters_and_pages_are_described(schema):
    names = {p["name"] for p in operations(schema)["GET", "/api/v1/movements/"]["parameters"]}
    assert names == {"sku", "location", "order_id", "event_id", "kind", "cursor", "page_size"}


def test_the_page_brings_all_it_needs_from_here(client):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert re.findall(r"<script(?![^>]*src=)[^>]*>", text) == [], "its policy forbids inline scripts"
    sources = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert len(sources) >= 4
    for source in sources:
        assert source.startswith("/"), source
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/")), source
    script = client.get("/api/docs/?script=")
    assert "SwaggerUIBundle" in script.content.decode()
    assert FOREIGN.findall(text + script.content.decode()) == []


def test_the_page_forbids_whatever_comes_from_elsewhere(client):
    policy = client.get("/api/docs/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_the_documentation_lists_every_route():
    text = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
    listed = set(re.findall(r"^\| `(GET|POST|PATCH) (/\S*)`", text, re.MULTILINE))
    assert listed == {(method, route) for method, route in ROWS if route not in ("/", "/api/schema/")}
