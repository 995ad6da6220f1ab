"""Refresh tokens: each is used once, and a session ends by log-out, reuse, a new password or deactivation."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework_simplejwt import tokens as simplejwt

from tests.api.clients import assert_problem, client_of, new_user
from users.models import RefreshSession, User
from users.tokens import AccessToken, open_session

PASSWORD, NEW = "correct horse battery", "another horse battery"
ME, REFRESH, LOGOUT = "/api/v1/users/me/", "/api/v1/auth/token/refresh/", "/api/v1/auth/logout/"


@pytest.fixture
def ann(db: None) -> User:
    return User.objects.create_user("ann@example.org", PASSWORD)


def log_in(password: str = PASSWORD) -> dict[str, str]:
    answer = client_of().post("/api/v1/auth/token/", {"email": "ann@example.org", "password": password})
    assert answer.status_code == 200
    tokens: dict[str, str] = answer.json()
    return tokens


def refresh(tokens: dict[str, str]) -> Any:
    return client_of().post(REFRESH, {"refresh": tokens["refresh"]})


def me(tokens: dict[str, str]) -> int:
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    return int(client.get(ME).status_code)


def test_a_refresh_gives_both_tokens_and_uses_the_old_one_up(ann):
    first = log_in()
    second = refresh(first).json()
    assert me(second) == me(first) == 200
    third = refresh(second).json()
    assert len({first["refresh"], second["refresh"], third["refresh"]}) == 3
    ends = {jwt.decode(tokens["refresh"], options={"verify_signature": False})["exp"] for tokens in (first, third)}
    assert len(ends) == 1, "a session lasts as long as its first token"


def test_a_used_token_ends_the_session_for_both_holders(ann, caplog):
    stolen = log_in()
    other_session = log_in()
    renewed = refresh(stolen).json()
    problem = assert_problem(refresh(stolen), 401)
    assert "Log in again" in problem["detail"]
    assert_problem(refresh(renewed), 401)
    assert RefreshSession.objects.get(reason="reused").ended_at
    assert "a used refresh token was presented again" in caplog.text
    assert "ann" not in caplog.text
    assert refresh(other_session).status_code == 200


def test_two_processes_that_refresh_one_token_get_one_answer(transactional_db, ann):
    tokens = log_in()

    def in_a_thread(_: int) -> int:
        try:
            return int(refresh(tokens).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(in_a_thread, range(4))).count(200) <= 1
    assert RefreshSession.objects.get().reason == "reused"


def test_a_session_can_be_renewed_by_only_one_of_two_who_read_it(ann, monkeypatch):
    """The second one reads the session before the first one renews it."""
    tokens = log_in()
    answers = []
    for_user: Any = simplejwt.RefreshToken.for_user

    def after_another(cls: Any, user: User) -> Any:
        monkeypatch.undo()
        answers.append(refresh(tokens).status_code)
        return for_user.__func__(cls, user)

    monkeypatch.setattr("users.tokens.RefreshToken.for_user", classmethod(after_another), raising=False)
    answers.append(refresh(tokens).status_code)
    assert answers == [200, 401]


def test_logging_out_ends_the_session_and_no_other(ann):
    tokens, others = log_in(), log_in()
    assert client_of().post(LOGOUT, {"refresh": tokens["refresh"]}).status_code == 204
    assert_problem(refresh(tokens), 401)
    assert refresh(others).status_code == 200
    assert list(RefreshSession.objects.exclude(ended_at=None).values_list("reason", flat=True)) == ["logged_out"]


def test_logging_out_with_a_used_token_ends_the_session_too(ann):
    tokens = log_in()
    renewed = refresh(tokens).json()
    assert client_of().post(LOGOUT, {"refresh": tokens["refresh"]}).status_code == 204
    assert_problem(refresh(renewed), 401)


@pytest.mark.parametrize("token", ["", "x", "x.y.z", "Bearer", "ü" * 100])
def test_logging_out_tells_nothing_about_a_token(db, token):
    answer = client_of().post(LOGOUT, {"refresh": token})
    assert (answer.status_code, answer.content) == ((204, b"") if token else (400, answer.content))
    assert_problem(client_of().post(LOGOUT, {"refresh": 1}), 400, "refresh")
    assert_problem(client_of().post(LOGOUT, {"refresh": "x" * 2001}), 400, "refresh")


def by_api(user: User) -> None:
    tokens = log_in()
    client = client_of(user)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    body = {"old_password": PASSWORD, "new_password": NEW}
    answer = client.post("/api/v1/users/me/password/", body)
    assert answer.status_code == 200
    assert me(answer.json()) == refresh(answer.json()).status_code == 200
    assert me(tokens) == 401


def by_admin(user: User) -> None:
    browser = Client()
    browser.force_login(new_user(is_staff=True, is_superuser=True))
    form = {"usable_password": "true", "password1": NEW, "password2": NEW}
    assert browser.post(f"/admin/users/user/{user.pk}/password/", form).status_code == 302


def by_command(user: User) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda **_: NEW)
        call_command("changepassword", user.email)


def by_code(user: User) -> None:
    user.set_password(NEW)
    user.save()


def by_taking_it_away(user: User) -> None:
    user.set_unusable_password()
    user.save(update_fields=["password"])


def by_deactivation(user: User) -> None:
    user.is_active = False
    user.save()


def by_deactivation_and_back(user: User) -> None:
    by_deactivation(user)
    user.is_active = True
    user.save()


def by_a_new_address(user: User) -> None:
    user.email = "anna@example.org"
    user.save()


def by_a_new_address_in_one_field(user: User) -> None:
    user.email = "anna@example.org"
    user.save(update_fields=["email"])


def by_a_new_address_in_the_admin(user: User) -> None:
    browser = Client()
    browser.force_login(new_user(is_staff=True, is_superuser=True))
    form = {"email": "anna@example.org", "is_active": "on"}
    assert browser.post(f"/admin/users/user/{user.pk}/change/", form).status_code == 302


def by_a_change_of_rows(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def by_a_hash_of_rows(user: User) -> None:
    User.objects.filter(pk=user.pk).update(password="!")


WAYS = [by_api, by_admin, by_command, by_code, by_taking_it_away, by_deactivation, by_deactivation_and_back]
NEW_ADDRESSES = [by_a_new_address, by_a_new_address_in_one_field, by_a_new_address_in_the_admin]


@pytest.mark.parametrize("change", [*WAYS, *NEW_ADDRESSES, by_a_change_of_rows, by_a_hash_of_rows])
def test_a_change_of_password_or_address_or_a_deactivation_ends_all_sessions(ann, change):
    sessions = [log_in(), log_in()]
    change(User.objects.get(pk=ann.pk))
    assert [refresh(tokens).status_code for tokens in sessions] == [401, 401]
    assert {session.reason for session in RefreshSession.objects.exclude(ended_at=None)} == {"account"}


@pytest.mark.parametrize("change", NEW_ADDRESSES)
def test_no_access_token_works_until_a_new_address_is_confirmed(ann, settings, change):
    settings.CONFIRM_EMAIL = True
    User.objects.filter(pk=ann.pk).update(email_confirmed_at=timezone.now())
    tokens = log_in()
    change(User.objects.get(pk=ann.pk))
    client = client_of()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    assert "confirmed" in assert_problem(client.get(ME), 401)["detail"]
    body = {"old_password": PASSWORD, "new_password": NEW}
    assert_problem(client.post("/api/v1/users/me/password/", body), 401)
    assert client.get("/api/v1/products/").status_code == 200, "on a public page the token is ignored"
    User.objects.update(email_confirmed_at=timezone.now())
    assert me(tokens) == 200
    assert_problem(refresh(tokens), 401)


def test_other_changes_of_an_account_end_nothing(ann):
    tokens = log_in()
    ann.email = " ANN@example.org"
    ann.save()
    ann.name = "Anna"
    ann.save()
    ann.save(update_fields=["name"])
    assert client_of(ann).patch(ME, {"name": "A"}).status_code == 200
    assert refresh(tokens).status_code == 200
    assert str(RefreshSession.objects.get()).startswith("session ")


def test_a_weak_new_password_changes_nothing(ann):
    tokens = log_in()
    body = {"old_password": PASSWORD, "new_password": "12345"}
    assert_problem(client_of(ann).post("/api/v1/users/me/password/", body), 400, "new_password")
    assert refresh(tokens).status_code == 200


def test_expired_sessions_are_refused_and_later_removed(ann):
    tokens = log_in()
    RefreshSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert_problem(refresh(tokens), 401)
    log_in()
    assert RefreshSession.objects.count() == 1


@pytest.mark.parametrize("claims", [{}, {"session": "x"}, {"session": None}, {"session": str(uuid4())}, {"session": 7}])
def test_a_refresh_token_without_a_session_is_refused(ann, claims):
    token = simplejwt.RefreshToken.for_user(ann)
    token.payload |= claims
    assert_problem(refresh({"refresh": str(token)}), 401)
    assert client_of().post(LOGOUT, {"refresh": str(token)}).status_code == 204


def test_a_refresh_token_is_no_access_token_nor_the_reverse(ann):
    tokens = log_in()
    assert me({"access": tokens["refresh"]}) == 401
    assert_problem(refresh({"refresh": tokens["access"]}), 401)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "HS512"])
def test_a_token_of_another_algorithm_is_refused(ann, algorithm):
    payload = AccessToken.for_user(ann).payload
    key = "" if algorithm == "none" else settings.TOKEN_KEYS[0]
    assert me({"access": jwt.encode(payload, key, algorithm=algorithm)}) == 401
    assert me({"access": jwt.encode(payload, settings.TOKEN_KEYS[0], algorithm="HS256")}) == 200
    assert me({"access": jwt.encode(payload, settings.SECRET_KEY, algorithm="HS256")}) == 401


@pytest.mark.parametrize(("seconds", "status"), [(-30, 200), (-90, 401), (30, 200)])
def test_clocks_may_differ_by_a_minute(ann, seconds, status):
    token = AccessToken.for_user(ann)
    token.set_exp(from_time=timezone.now(), lifetime=timedelta(seconds=seconds))
    token.set_iat(at_time=timezone.now() + timedelta(seconds=min(abs(seconds), 30)))
    assert me({"access": str(token)}) == status


def test_an_access_token_lasts_a_quarter_of_an_hour(ann):
    payload = open_session(ann).access_token.payload
    assert payload["exp"] - payload["iat"] == 900
    assert "session" not in payload
