"""Passwords are hashed with little memory, few at a time, and never in an unbounded queue."""

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import sleep
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.test import Client

from tests.api.clients import assert_problem, client_of, new_user
from users import hashers
from users.models import LogInAttempts, User

PASSWORD = "correct horse battery"
LOGIN = {"email": "ann@example.org", "password": PASSWORD}


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann@example.org", PASSWORD)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Take all slots, and wait for none."""
    monkeypatch.setattr(hashers, "MAX_WAIT_S", 0.01)

    def take() -> None:
        for _ in range(hashers.PARALLEL):
            assert hashers.slots.acquire(timeout=5)

    yield take
    for _ in range(hashers.PARALLEL):
        hashers.slots.release()


def test_the_parameters_are_those_of_owasp(ann):
    assert ann.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


def test_an_old_hash_is_replaced_at_the_next_log_in(ann):
    User.objects.update(password=Argon2PasswordHasher().encode(PASSWORD, "a salt of sixteen"))
    assert "m=102400" in User.objects.get().password
    assert client_of().post("/api/v1/auth/token/", LOGIN).status_code == 200
    assert "m=19456,t=2,p=1" in User.objects.get().password
    assert client_of().post("/api/v1/auth/token/", LOGIN).status_code == 200


def test_no_more_are_hashed_at_the_same_time_than_there_are_slots(monkeypatch):
    lock, running, most = Lock(), 0, 0

    def hash_slowly(*_: object) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        sleep(0.02)
        with lock:
            running -= 1
        return "argon2$hash"

    monkeypatch.setattr(Argon2PasswordHasher, "encode", hash_slowly)
    monkeypatch.setattr(Argon2PasswordHasher, "verify", hash_slowly)
    hasher = hashers.Argon2()
    with ThreadPoolExecutor(8) as pool:
        tasks = [pool.submit(make_password, PASSWORD) for _ in range(8)]
        tasks += [pool.submit(hasher.verify, PASSWORD, "argon2$hash") for _ in range(8)]
        for task in tasks:
            task.result()
    assert most == hashers.PARALLEL


@pytest.mark.parametrize("email", ["ann@example.org", "nobody@example.org"])
def test_a_log_in_that_finds_no_slot_is_503_and_counts_for_nothing(ann, busy, email):
    busy()
    answer = client_of().post("/api/v1/auth/token/", LOGIN | {"email": email})
    problem = assert_problem(answer, 503)
    assert problem["type"] == "urn:orderly:problem:busy"
    assert int(answer["Retry-After"]) >= 0
    assert set(LogInAttempts.objects.values_list("failures", flat=True)) == {0}


def test_a_registration_that_finds_no_slot_is_503_and_changes_nothing(db, busy):
    busy()
    assert_problem(client_of().post("/api/v1/users/", LOGIN), 503)
    assert not User.objects.exists()


def test_the_admin_says_when_no_slot_is_free(db, busy):
    superuser = new_user(is_staff=True, is_superuser=True)
    browser = Client()
    browser.force_login(superuser)
    customer = new_user()
    busy()
    page = browser.post("/admin/login/?next=/", {"username": superuser.email, "password": "x"}).content.decode()
    assert "Too many passwords are being checked." in page
    form = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    answer = browser.post(f"/admin/users/user/{customer.pk}/password/", form)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert b"Nothing was changed" in answer.content


def test_other_errors_of_pages_stay_what_they_are(client, settings):
    settings.ROOT_URLCONF = "tests.api.routes"
    client.raise_request_exception = False
    assert client.get("/crash/").status_code == 500
