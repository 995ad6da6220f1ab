"""Logins: one throttle for API and admin, and tokens that end when the password changes."""

import pytest
from django.test import Client

from tests.api.clients import assert_problem, client_of, new_user
from users.tokens import open_session

pytestmark = pytest.mark.django_db
ME = "/api/v1/users/me/"


def test_logins_to_admin_and_api_share_one_throttle(low_rates):
    staff = new_user(is_staff=True)
    staff.set_password("correct horse battery")
    staff.save()
    credentials = {"username": staff.email, "password": "correct horse battery"}
    client_of().post("/api/v1/auth/token/", {"email": staff.email, "password": "wrong"})
    assert b"Please enter the correct" in Client().post("/admin/login/", credentials | {"password": "wrong"}).content
    throttled = Client().post("/admin/login/", credentials)
    assert b"Too many logins from this address. Try again in" in throttled.content
    assert Client().post("/admin/login/", credentials, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_changing_the_password_invalidates_all_tokens():
    user = new_user()
    refresh = open_session(user)
    thief = client_of()
    thief.credentials(HTTP_AUTHORIZATION=f"Bearer {refresh.access_token}")
    assert thief.get(ME).status_code == 200
    user.set_password("another horse battery")
    user.save()
    assert_problem(thief.get(ME), 401)
    assert_problem(client_of().post("/api/v1/auth/token/refresh/", {"refresh": str(refresh)}), 401)
