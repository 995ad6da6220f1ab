"""Accounts in Django admin."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from tests.api.clients import assert_problem, client_of, new_user
from users.models import User
from users.operations import register_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    return client


def test_staff_log_in_with_their_email_address():
    User.objects.create_superuser("root@example.org", PASSWORD)
    client = Client()
    response = client.post("/admin/login/", {"username": "ROOT@example.org", "password": PASSWORD})
    assert response.status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("path", ["", "add/", "{}/change/", "{}/password/", "?q=ann&is_staff__exact=0"])
def test_every_page_of_accounts_opens(staff, path):
    user = new_user()
    assert staff.get("/admin/users/user/" + path.format(user.pk)).status_code == 200


def test_groups_can_be_edited(staff):
    assert staff.get("/admin/auth/group/add/").status_code == 200


def test_form_refuses_a_taken_address(staff):
    new_user(email="ann@example.org")
    form = {"email": "ANN@example.org", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    response = staff.post("/admin/users/user/add/", form)
    assert response.status_code == 200
    assert "has an account already" in response.content.decode()
    assert User.objects.count() == 2


def test_a_password_can_be_set(staff):
    user = new_user()
    path = f"/admin/users/user/{user.pk}/password/"
    form = {"usable_password": "true", "password1": "another good one", "password2": "another good one"}
    assert staff.post(path, form).status_code == 302
    assert User.objects.get(pk=user.pk).check_password("another good one")


def test_deactivated_user_gets_no_token(staff):
    user = register_user(email="ann@example.org", password=PASSWORD, name="Ann")
    login = {"email": user.email, "password": PASSWORD}
    assert client_of().post("/api/v1/auth/token/", login).status_code == 200
    form = {"email": user.email, "name": user.name}  # browsers do not send unchecked boxes, here `is_active`
    assert staff.post(f"/admin/users/user/{user.pk}/change/", form).status_code == 302
    assert_problem(client_of().post("/api/v1/auth/token/", login), 401)


def test_list_takes_the_same_queries_for_any_length(staff, django_assert_num_queries, django_assert_max_num_queries):
    new_user()
    with django_assert_max_num_queries(10) as few:
        staff.get("/admin/users/user/")
    for _ in range(10):
        new_user()
    with django_assert_num_queries(len(few.captured_queries)):
        staff.get("/admin/users/user/")


def test_users_are_found_by_address_by_a_word_of_their_name_and_by_id(staff):
    ada, bob = (register_user(email=f"{name}@example.org", password=None, name=f"{name} l") for name in ("ada", "bob"))
    for term, found in (("ADA", {ada}), ("ada@ex", {ada}), ("L", {ada, bob}), (str(bob.pk), {bob}), ("nobody", set())):
        page = staff.get("/admin/users/user/", {"q": term})
        assert set(page.context["cl"].result_list) == found, term


def test_accounts_cannot_be_deleted_because_other_services_keep_their_ids(staff):
    user = new_user()
    assert staff.post(f"/admin/users/user/{user.pk}/delete/", {"post": "yes"}).status_code == 403
    assert User.objects.filter(pk=user.pk).exists()


def test_login_without_a_requested_page_redirects_to_the_index():
    User.objects.create_superuser("root@example.org", PASSWORD)
    login = {"username": "root@example.org", "password": PASSWORD}
    assert Client().post("/admin/login/", login)["Location"] == "/admin/"


def test_expired_form_is_refused_with_advice(db):
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ada@example.org"})
    assert answer.status_code == 403
    assert "Reload the page and send the form again." in answer.content.decode()


@pytest.mark.parametrize("rights", [{"is_superuser": True}, {}])
def test_nobody_mistypes_their_own_address_but_a_superuser_corrects_it(staff, rights):
    clerk = new_user(is_staff=True, email_confirmed_at=timezone.now(), **rights)
    clerk.user_permissions.set(Permission.objects.filter(codename="change_user"))
    confirmed = clerk.email_confirmed_at
    form = {"email": "eve@example.org", "name": "Changed", "is_active": "on", "is_staff": "on"}
    own = Client()
    own.force_login(clerk)
    own.post(f"/admin/users/user/{clerk.pk}/change/", form)
    stored = User.objects.get(pk=clerk.pk)
    assert (stored.email, stored.email_confirmed_at) == (clerk.email, confirmed)
    assert staff.post(f"/admin/users/user/{clerk.pk}/change/", form).status_code == 302
    stored = User.objects.get(pk=clerk.pk)
    assert (stored.email, stored.email_confirmed_at) == ("eve@example.org", None)
