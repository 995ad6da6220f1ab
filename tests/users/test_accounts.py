"""Creating accounts, each of which is announced exactly once, and logging in to them."""

import json
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client

from project.events import UserCreated
from tests.api.clients import assert_problem, client_of, new_user
from users import operations
from users.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def by_plain_save(email: str) -> None:
    User(email=email).save()


def by_manager(email: str) -> None:
    User.objects.create_user(email, PASSWORD)


def by_operation(email: str) -> None:
    operations.register_user(email=email, password=PASSWORD, name="Ann")


def by_rest(email: str) -> None:
    response = client_of().post("/api/v1/users/", {"email": email, "password": PASSWORD, "name": "Ann"})
    assert response.status_code == 201


def by_command(email: str) -> None:
    call_command("createsuperuser", email=email, interactive=False, verbosity=0)


def by_admin(email: str) -> None:
    client = Client()
    client.force_login(User.objects.get(email="root@example.org"))
    form = {"email": email, "name": "Ann", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    response = client.post("/admin/users/user/add/", form)
    assert response.status_code == 302, response.content


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("create", [by_plain_save, by_manager, by_operation, by_rest, by_command, by_admin])
def test_every_way_to_create_an_account_announces_it_once(create, published, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    User.objects.create_superuser("root@example.org")
    create("Ann@Example.ORG")
    user = User.objects.get(email="ann@example.org")
    assert [event.user_id for event in published(UserCreated)].count(user.pk) == 1
    user.name = "Anna"
    user.save()
    assert len(published(UserCreated)) == 2


@pytest.mark.django_db(transaction=True)
def test_account_is_not_created_if_its_event_cannot_be_published(monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("users.signals.publish", fail)
    with pytest.raises(RuntimeError):
        User(email="ann@example.org").save()
    assert not User.objects.exists()


def test_loading_a_fixture_announces_nothing(tmp_path: Path, published):
    fixture = tmp_path / "users.json"
    fields = {"email": "ann@example.org", "password": "!", "date_joined": "2026-01-01T00:00:00Z"}
    fixture.write_text(json.dumps([{"model": "users.user", "pk": str(uuid4()), "fields": fields}]))
    call_command("loaddata", fixture, verbosity=0)
    assert User.objects.filter(email="ann@example.org").exists()
    assert published() == []


@pytest.mark.parametrize("create", [by_plain_save, by_manager])
def test_email_addresses_are_unique_in_any_case(create):
    create("Ann@example.org")
    with pytest.raises(IntegrityError):
        create(" aNN@EXAMPLE.org ")


def test_lookup_by_email_ignores_case():
    by_plain_save("Ann@example.org")
    assert User.objects.get(email="ANN@example.org").email == "ann@example.org"
    assert User.objects.get_by_natural_key("ANN@example.org").email == "ann@example.org"


def test_database_refuses_capitals_in_email_addresses():
    by_plain_save("ann@example.org")
    with pytest.raises(IntegrityError), connection.cursor() as cursor:
        cursor.execute("UPDATE users_user SET email = 'Ann@example.org'")


def test_save_normalizes_the_email_address_of_the_instance():
    user = User(email=" Ann@Example.org")
    user.save()
    assert user.email == "ann@example.org"
    assert user.pk.version == 7


def test_createsuperuser_refuses_a_taken_address(monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    by_command("ann@example.org")
    assert User.objects.get().is_superuser
    with pytest.raises(CommandError, match="already taken"):
        by_command("ANN@example.org")


def test_account_requires_an_email_address():
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("")


def test_account_without_a_password_cannot_log_in():
    user = operations.register_user(email="ann@example.org", password=None)
    assert not user.has_usable_password()
    for password in ("", "None", "!"):
        response = client_of().post("/api/v1/auth/token/", {"email": "ann@example.org", "password": password})
        assert response.status_code in (400, 401)


def test_registration_returns_the_account_without_the_password():
    response = client_of().post("/api/v1/users/", {"email": "Ann@example.org", "password": PASSWORD, "name": "Ann"})
    assert response.status_code == 201
    user = User.objects.get()
    assert response.json() == {
        "id": str(user.pk),
        "email": "ann@example.org",
        "name": "Ann",
        "is_staff": False,
        "date_joined": response.json()["date_joined"],
    }
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "ann"}, "email"),
        ({"email": ""}, "email"),
        ({"email": None}, "email"),
        ({"email": 1}, "email"),
        ({"email": ["ann@example.org"]}, "email"),
        ({"email": f"{'a' * 250}@example.org"}, "email"),
        ({"email": "a\nb@example.org"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password"}, "password"),
        ({"password": "20260101"}, "password"),
        ({"password": "ann@example.org"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"password": 12345678901234}, "password"),
        ({"password": ""}, "password"),
        ({"name": "x" * 151}, "name"),
        ({"name": {"first": "Ann"}}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"is_staff": True}, "is_staff"),
        ({"id": str(uuid4())}, "id"),
    ],
)
def test_invalid_registration_names_the_field_and_changes_nothing(change, field, published):
    by_plain_save("taken@example.org")
    before = published()
    body = {"email": "ann@example.org", "password": PASSWORD, "name": "Ann"} | change
    assert_problem(client_of().post("/api/v1/users/", body), 400, field)
    assert User.objects.count() == 1
    assert published() == before


def test_registration_reports_all_errors_at_once():
    response = client_of().post("/api/v1/users/", {"email": "ann", "password": "short"})
    assert_problem(response, 400, "email", "password")
    assert_problem(client_of().post("/api/v1/users/", {}), 400, "email", "password")


def test_registration_ignores_a_stale_token():
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION="Bearer stale")
    response = client.post("/api/v1/users/", {"email": "ann@example.org", "password": PASSWORD})
    assert response.status_code == 201


def test_login_returns_tokens_that_authenticate():
    by_operation("ann@example.org")
    response = client_of().post("/api/v1/auth/token/", {"email": "ANN@example.org", "password": PASSWORD})
    assert response.status_code == 200
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {response.json()['access']}")
    assert client.get("/api/v1/users/me/").json()["email"] == "ann@example.org"
    refreshed = client_of().post("/api/v1/auth/token/refresh/", {"refresh": response.json()["refresh"]})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {refreshed.json()['access']}")
    assert client.get("/api/v1/users/me/").status_code == 200


def test_wrong_password_and_unknown_address_get_the_same_answer():
    by_operation("ann@example.org")
    bodies = [
        {"email": "ann@example.org", "password": "wrong"},
        {"email": "bob@example.org", "password": PASSWORD},
        {"email": "not an address", "password": PASSWORD},
    ]
    problems = [assert_problem(client_of().post("/api/v1/auth/token/", body), 401) for body in bodies]
    assert problems[0] == problems[1] == problems[2]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["email", "password"]),
        ({"email": "ann@example.org"}, ["password"]),
        ({"email": 1, "password": "x"}, ["email"]),
        ({"email": "ann@example.org", "password": "x" * 201}, ["password"]),
        ({"email": "ann@example.org", "password": "x", "remember": True}, ["remember"]),
    ],
)
def test_invalid_login_names_the_field(body, fields):
    assert_problem(client_of().post("/api/v1/auth/token/", body), 400, *fields)


def test_invalid_refresh_tokens_are_refused():
    path = "/api/v1/auth/token/refresh/"
    assert_problem(client_of().post(path, {}), 400, "refresh")
    assert_problem(client_of().post(path, {"refresh": 1}), 400, "refresh")
    assert_problem(client_of().post(path, {"refresh": "x.y.z"}), 401)
    user = operations.register_user(email="ann@example.org", password=PASSWORD)
    tokens = client_of().post("/api/v1/auth/token/", {"email": "ann@example.org", "password": PASSWORD}).json()
    assert_problem(client_of().post(path, {"refresh": tokens["access"]}), 401)
    user.is_active = False
    user.save()
    assert_problem(client_of().post(path, {"refresh": tokens["refresh"]}), 401)
    user.delete()
    assert_problem(client_of().post(path, {"refresh": tokens["refresh"]}), 401)


def test_users_can_change_only_their_name():
    user = new_user()
    client = client_of(user)
    assert client.patch("/api/v1/users/me/", {"name": "Anna"}).json()["name"] == "Anna"
    assert client.patch("/api/v1/users/me/", {}).json()["name"] == "Anna"
    for field, value in (("email", "b@example.org"), ("is_staff", True), ("password", PASSWORD)):
        assert_problem(client.patch("/api/v1/users/me/", {field: value}), 400, field)
    assert_problem(client.patch("/api/v1/users/me/", {"name": None}), 400, "name")
    stored = User.objects.get(pk=user.pk)
    assert (stored.name, stored.email, stored.is_staff) == ("Anna", user.email, False)


def test_users_me_requires_a_token():
    assert_problem(client_of().get("/api/v1/users/me/"), 401)


def test_an_error_of_the_database_that_is_not_about_the_address_is_not_taken_for_one(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("another constraint")

    monkeypatch.setattr(User, "save", fail)
    with pytest.raises(IntegrityError, match="another constraint"):
        operations.register_user(email="ann@example.org", password=PASSWORD)


def test_an_account_is_not_renamed_to_what_is_no_name():
    ann = operations.register_user(email="ann@example.org", password=PASSWORD, name="Ann")
    with pytest.raises(operations.InvalidUser) as refusal:
        operations.rename_user(user_id=ann.pk, name="x" * 1000)
    assert {error.field for error in refusal.value.errors} == {"name"}
    assert User.objects.get().name == "Ann"
