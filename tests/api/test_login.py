"""Logging in: to the admin no more often than to the API, and for no longer than the password lasts."""

import pytest
from django.test import Client
from rest_framework_simplejwt.tokens import RefreshToken

from tests.api.clients import assert_problem, client_of, new_user

pytestmark = pytest.mark.django_db
ME = "/api/v1/users/me/"


def test_the_admin_counts_log_ins_from_one_address_together_with_the_api(few):
    staff = new_user(is_staff=True)
    staff.set_password("correct horse battery")
    staff.save()
    right = {"username": staff.email, "password": "correct horse battery"}
    client_of().post("/api/v1/auth/token/", {"email": staff.email, "password": "wrong"})
    assert b"Please enter the correct" in Client().post("/admin/login/", right | {"password": "wrong"}).content
    refused = Client().post("/admin/login/", right)
    assert b"Too many log-ins from this address. Try again in" in refused.content
    assert Client().post("/admin/login/", right, REMOTE_ADDR="192.0.2.7").status_code == 302


def test_a_new_password_ends_the_tokens_of_the_old_one():
    user = new_user()
    refresh = RefreshToken.for_user(user)
    thief = client_of()
    thief.credentials(HTTP_AUTHORIZATION=f"Bearer {refresh.access_token}")
    assert thief.get(ME).status_code == 200
    user.set_password("another horse battery")
    user.save()
    assert_problem(thief.get(ME), 401)
    # The library looks at the password where a token is used, not where it is refreshed.
    answer = client_of().post("/api/v1/auth/token/refresh/", {"refresh": str(refresh)})
    assert answer.status_code == 200
    thief.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    assert_problem(thief.get(ME), 401)
