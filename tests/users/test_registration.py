"""Registering does not tell whether an address has an account."""

import logging
from uuid import UUID

import pytest
from django.contrib.auth import hashers
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from project.bus.models import Event, Failure
from project.events import RegistrationRepeated, UserCreated
from tests.api.clients import as_id, assert_problem, client_of
from users import operations
from users.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
USERS = "/api/v1/users/"

#: Spellings of the address ann@exämple.org.
SPELLINGS = [
    "ann@exämple.org",
    "ANN@EXÄMPLE.ORG",
    "  ann@exämple.org\t",
    "ann@exa\u0308mple.org",  # the letter and its dots as two characters
    "ann@xn--exmple-cua.org",
    "ann@ｅｘämple.org",  # noqa: RUF001 - full-width letters
    "ann@exämple。org",  # an ideographic full stop
]


def register(email: str, **fields: str):
    return client_of().post(USERS, {"email": email, "password": PASSWORD, "name": "Eve", **fields})


@pytest.fixture
def ann(drain, mailoutbox) -> User:
    user = operations.register_user(email="ann@exämple.org", password=PASSWORD, name="Ann", confirmed=True)
    drain()
    mailoutbox.clear()
    return user


@pytest.mark.parametrize("spelling", SPELLINGS, ids=as_id)
def test_every_spelling_of_a_taken_address_gets_the_answer_of_a_new_one_and_changes_nothing(spelling, ann, published):
    before = User.objects.values().get()
    new, taken = register("bob@example.org"), register(spelling)
    assert (new.status_code, taken.status_code) == (201, 201)
    answers = [new.json(), taken.json()]
    for answer, email in zip(answers, ("bob@example.org", "ann@exämple.org"), strict=True):
        assert answer.pop("email") == email
        user_id = UUID(answer.pop("id"))
        assert user_id.version == 7
        assert user_id != ann.pk
        assert len(answer.pop("date_joined")) == len("2026-11-28T10:00:00.000000Z")
    assert answers[0] == answers[1] == {"name": "Eve", "is_staff": False}
    assert new.headers.keys() == taken.headers.keys()
    assert User.objects.filter(pk=ann.pk).values().get() == before
    assert User.objects.count() == 2
    assert [event.user_id for event in published(RegistrationRepeated)] == [ann.pk]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"password": "short"}, ["password"]),
        ({"password": "ann@exämple.org"}, ["password"]),
        ({"name": "Rosalind Franklin", "password": "rosalindfranklin"}, ["password"]),
        ({"name": "Rosalind Franklin", "password": "1franklin1"}, ["password"]),
        ({"name": "https://evil.example"}, ["name"]),
    ],
)
def test_wrong_fields_get_the_same_errors_for_a_taken_address(change, fields, ann):
    taken = assert_problem(register("ann@exämple.org", **change), 400, *fields)
    ann.delete()
    assert assert_problem(register("ann@exämple.org", **change), 400, *fields) == taken


def test_password_is_hashed_for_a_taken_address_too(ann, monkeypatch):
    hashed = []
    hash_password = hashers.make_password

    def count(password, *args, **options):
        hashed.append(password)
        return hash_password(password, *args, **options)

    monkeypatch.setattr("django.contrib.auth.base_user.make_password", count)
    register("ann@exämple.org")
    register("bob@example.org")
    assert hashed == [PASSWORD, PASSWORD]


def test_repeated_registration_takes_about_as_many_statements(ann):
    numbers = []
    for email in ("ann@exämple.org", "bob@example.org"):
        with CaptureQueriesContext(connection) as queries:
            register(email)
        numbers.append(len(queries))
    assert abs(numbers[0] - numbers[1]) <= 2


def test_owner_of_the_address_gets_one_fixed_mail_after_the_answer(ann, drain, mailoutbox):
    register("ann@exämple.org", name="Canary")
    assert mailoutbox == []
    drain()
    (mail,) = mailoutbox
    assert mail.to == ["ann@xn--exmple-cua.org"]
    assert "You have an account already" in mail.subject
    assert "Canary" not in str(mail.message())


def test_owner_of_an_address_that_is_not_confirmed_gets_the_link_again(drain, mailoutbox):
    register("ann@example.org")
    register("ann@example.org")
    drain()
    assert [mail.subject for mail in mailoutbox] == ["Please confirm your e-mail address"] * 2


def test_of_two_registrations_at_once_both_get_the_answer_of_a_new_one(monkeypatch, published):
    save = User.save

    def save_after_another(user, *args, **options):
        monkeypatch.setattr(User, "save", save)
        operations.register_user(email="ann@example.org", password=None, name="Faster")
        save(user, *args, **options)

    monkeypatch.setattr(User, "save", save_after_another)
    assert register("ANN@example.org").status_code == 201
    assert User.objects.get().name == "Faster"
    assert len(published(UserCreated)) == len(published(RegistrationRepeated)) == 1


def test_other_errors_of_the_database_are_not_taken_for_a_taken_address(monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise IntegrityError("another constraint")

    monkeypatch.setattr(User, "save", fail)
    with pytest.raises(IntegrityError, match="another"):
        operations.sign_up(email="ann@example.org", password=PASSWORD)


def test_operations_of_operators_still_say_that_an_address_is_taken(ann):
    with pytest.raises(operations.InvalidUser, match="has an account already"):
        operations.register_user(email="ANN@exämple.org", password=PASSWORD)


def test_names_and_addresses_are_in_no_event_failure_or_log_line(drain, caplog, mailoutbox, monkeypatch):
    caplog.set_level(logging.DEBUG)
    register("canary-address@example.org", name="Canary Name")
    register("canary-address@example.org", name="Canary Name")
    client_of().post("/api/v1/users/confirm/resend/", {"email": "canary-address@example.org"})
    drain()
    User.objects.update(email='"canary-address\x01"@example.org')
    client_of().post("/api/v1/users/confirm/resend/", {"email": '"canary-address\x01"@example.org'})
    drain()
    assert Failure.objects.exists()
    stored = str([*Event.objects.values(), *Failure.objects.values()])
    for text in (stored, caplog.text):
        assert "canary" not in text.lower()
