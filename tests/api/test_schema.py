"""The OpenAPI schema is valid and complete, and its page loads nothing from other hosts."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command

from orders.models import Status
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


def test_the_schema_is_valid_and_made_without_warnings(tmp_path):
    call_command("spectacular", "--fail-on-warn", "--validate", "--file", str(tmp_path / "schema.yaml"))
    assert (tmp_path / "schema.yaml").read_text().startswith("openapi: 3")


def test_the_schema_has_exactly_the_routes_of_the_api(schema):
    assert set(operations(schema)) == {row for row in ROWS if row[1].startswith("/api/v1/")}


def test_each_operation_has_a_summary_and_says_who_may_call_it(schema):
    for key, operation in operations(schema).items():
        assert operation["summary"], key
        assert re.search(r"For .+\.$", operation["description"]), key
    ids = [operation["operationId"] for operation in operations(schema).values()]
    assert len(ids) == len(set(ids))


def test_the_schema_agrees_with_the_table_of_permissions(schema):
    for key, operation in operations(schema).items():
        anonymous, owner, another, staff, *_groups, superuser = ROWS[key]
        assert ("401" in operation["responses"]) == (anonymous == 401 or "/auth/token/" in key[1]), key
        assert ("403" in operation["responses"]) == (403 in ROWS[key]), key
        assert "with the permission" in operation["description"] or staff == superuser, key
        assert ("For staff" in operation["description"]) == (another == 403), key
        # The owner's, because only the owner knows the old password.
        expected = owner if key[1].endswith("/password/") else superuser
        assert str(expected) in operation["responses"], key


def test_every_call_may_find_the_server_busy(schema):
    assert all("503" in operation["responses"] for operation in operations(schema).values())


def test_errors_are_problem_documents(schema):
    for operation in operations(schema).values():
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
                assert response["content"] == {"application/problem+json": reference}
    problem = schema["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "instance"}


def test_the_schema_has_filters_and_pagination(schema):
    names = {p["name"] for p in operations(schema)["GET", "/api/v1/movements/"]["parameters"]}
    assert names == {"sku", "location", "order_id", "event_id", "kind", "cursor", "page_size"}


def test_the_page_loads_nothing_from_other_hosts(client):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert re.findall(r"<script(?![^>]*src=)[^>]*>", text) == [], (
        "the page's content security policy forbids inline scripts"
    )
    sources = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert len(sources) >= 4
    for source in sources:
        assert source.startswith("/"), source
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/")), source
    script = client.get("/api/docs/?script=")
    assert "SwaggerUIBundle" in script.content.decode()
    assert FOREIGN.findall(text + script.content.decode()) == []


def test_the_policy_of_the_page_forbids_other_hosts(client):
    policy = client.get("/api/docs/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "http" not in policy


def test_docs_api_md_lists_each_route():
    text = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
    listed = set(re.findall(r"^\| `(GET|POST|PATCH) (/\S*)`", text, re.MULTILINE))
    assert listed == {(method, route) for method, route in ROWS if route not in ("/", "/api/schema/")}


def unbounded(node, path=""):
    """Yield each value of the description that could be of any size, or an object of any properties."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from unbounded(item, f"{path}[{number}]")
    if not isinstance(node, dict):
        return
    needed = {
        "string": {"maxLength"},
        "integer": {"minimum", "maximum"},
        "number": {"minimum", "maximum"},
        "array": {"maxItems"},
        "object": {"additionalProperties"},
    }.get(str(node.get("type")), set())
    is_bounded = "enum" in node or node.get("format") in ("uuid", "date-time")
    if not is_bounded and not needed <= set(node):
        yield path
    for name, item in node.items():
        yield from unbounded(item, f"{path}/{name}")


def test_every_value_has_bounds(schema):
    assert list(unbounded(schema["components"]["schemas"])) == []
    assert list(unbounded(schema["paths"])) == []
    objects = [one for one in schema["components"]["schemas"].values() if one.get("type") == "object"]
    assert {one["additionalProperties"] for one in objects} == {False}


def test_the_first_entry_of_a_history_has_an_empty_status(schema):
    values = schema["components"]["schemas"]
    names = [ref["$ref"].rpartition("/")[2] for ref in values["Change"]["properties"]["from_status"]["oneOf"]]
    assert sorted(value for name in names for value in values[name]["enum"]) == sorted(["", *Status.values])


def test_each_operation_says_how_it_refuses(schema):
    for (method, path), operation in operations(schema).items():
        expected = {"400", "405", "406", "413", "414"} | ({"411", "415"} if "requestBody" in operation else set())
        assert expected <= set(operation["responses"]), path
        if method != "GET":
            assert "429" in operation["responses"] or "/auth/" in path, path


def test_an_empty_name_is_valid_by_the_description_as_it_is_by_the_api(schema):
    for request in ("RegistrationRequest", "PatchedProfileRequest"):
        name = schema["components"]["schemas"][request]["properties"]["name"]
        assert (name["type"], name.get("minLength", 0), name["maxLength"]) == ("string", 0, 150)
