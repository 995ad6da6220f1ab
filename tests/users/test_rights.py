"""Who may give rights: superusers, to others. Whatever else is posted, called or written changes no right."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from project.audit.actors import request_in_hand
from tests.api.clients import client_of, new_user
from users.models import User
from users.operations import register_user

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
NEW_PASSWORD = {"usable_password": "true", "password1": "another good one", "password2": "another good one"}
USERS = "/admin/users/user/"


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def editor() -> User:
    """A member of staff with all permissions, but no superuser."""
    user = new_user(is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def root() -> User:
    return new_user(is_staff=True, is_superuser=True)


def suspended(*, group: str = "", permission: str = "") -> User:
    """Who was staff, and gets all rights back with one flag."""
    user = new_user()
    user.groups.set(Group.objects.filter(name=group))
    user.user_permissions.set(Permission.objects.filter(codename=permission))
    return user


@pytest.fixture
def people(editor: User, root: User) -> dict[str, User]:
    return {
        "oneself": editor,
        "a superuser": root,
        "a superuser without staff status": new_user(is_superuser=True),
        "a member of staff": new_user(is_staff=True),
        "an inactive member of staff": new_user(is_staff=True, is_active=False),
        "a suspended member of staff with a group": suspended(group="operator"),
        "a suspended member of staff with a permission": suspended(permission="change_stock"),
        "a customer": register_user(email="ann@example.org", password=PASSWORD),
    }


STAFF = (
    "oneself",
    "a superuser",
    "a superuser without staff status",
    "a member of staff",
    "an inactive member of staff",
    "a suspended member of staff with a group",
    "a suspended member of staff with a permission",
)


def rights_of(user: User) -> dict[str, Any]:
    stored = User.objects.get(pk=user.pk)
    return {
        "is_staff": stored.is_staff,
        "is_superuser": stored.is_superuser,
        "groups": set(stored.groups.all()),
        "user_permissions": stored.user_permissions.count(),
    }


def account_of(user: User) -> dict[str, Any]:
    return User.objects.values("email", "name", "password", "is_active").get(pk=user.pk) | rights_of(user)


def forged(user: User) -> dict[str, Any]:
    """A form that gives everything."""
    permissions = list(Permission.objects.values_list("pk", flat=True))
    groups = list(Group.objects.values_list("pk", flat=True))
    return {
        "email": user.email,
        "name": "Changed",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": groups,
        "user_permissions": permissions,
        "password": make_password("stolen"),
        "_save": "Save",
    }


@pytest.mark.parametrize("query", ["", "?_popup=1", "?_to_field=id"])
def test_who_may_change_accounts_changes_customers_and_gives_nobody_rights(editor, people, query):
    before = rights_of(people["a customer"])
    ann = people["a customer"]
    answer = logged_in(editor).post(f"{USERS}{ann.pk}/change/{query}", forged(ann) | {"email": "new@example.org"})
    assert answer.status_code in (200, 302)
    stored = User.objects.get(pk=ann.pk)
    assert (stored.name, stored.email, stored.is_active) == ("Changed", "new@example.org", True)
    assert stored.check_password(PASSWORD)
    assert rights_of(ann) == before


@pytest.mark.parametrize("who", STAFF, ids=[name.replace(" ", "_") for name in STAFF])
@pytest.mark.parametrize("path", ["change/", "password/", "change/?_popup=1", "delete/", "change/?_to_field=id"])
def test_only_superusers_touch_accounts_of_staff(editor, people, who, path):
    before = account_of(people[who])
    form = forged(people[who]) | NEW_PASSWORD | {"post": "yes"}
    answer = logged_in(editor).post(f"{USERS}{people[who].pk}/{path}", form)
    assert answer.status_code == (302 if (who, path) == ("oneself", "password/") else 403)
    assert account_of(people[who]) == before


@pytest.mark.parametrize("who", STAFF, ids=[name.replace(" ", "_") for name in STAFF])
def test_accounts_of_staff_are_shown_read_only(editor, people, who):
    page = logged_in(editor).get(f"{USERS}{people[who].pk}/change/")
    assert page.status_code == 200
    assert "_save" not in page.content.decode()


def test_a_list_of_accounts_changes_nothing(editor, root, people):
    for person in (editor, root):
        before = {user.pk: account_of(user) for user in people.values()}
        for action in ("delete_selected", "make_superuser", ""):
            form = {"action": action, "select_across": "1", "_selected_action": [str(key) for key in before]}
            logged_in(person).post(USERS, form | {"post": "yes"})
        rows = {"form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1", "form-0-id": str(people["a customer"].pk)}
        logged_in(person).post(USERS, {**rows, "form-0-is_superuser": "on", "_save": "Save"})
        assert {user.pk: account_of(user) for user in people.values()} == before


def test_who_may_change_accounts_sets_the_password_of_a_customer(editor, people):
    ann = people["a customer"]
    assert logged_in(editor).post(f"{USERS}{ann.pk}/password/", NEW_PASSWORD).status_code == 302
    assert User.objects.get(pk=ann.pk).check_password("another good one")


@pytest.mark.parametrize("names", [["add_user"], ["add_user", "change_user"], ["add_user", "view_user", "delete_user"]])
def test_who_may_add_accounts_adds_plain_customers(names):
    clerk = new_user(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    form = {**forged(clerk), **NEW_PASSWORD, "email": "eve@example.org"}
    assert logged_in(clerk).post(f"{USERS}add/", form).status_code == 302
    eve = User.objects.get(email="eve@example.org")
    assert rights_of(eve) == {"is_staff": False, "is_superuser": False, "groups": set(), "user_permissions": 0}
    assert eve.check_password("another good one")


def test_who_may_not_add_accounts_adds_none(people):
    clerk = new_user(is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="change_user"))
    assert logged_in(clerk).post(f"{USERS}add/", NEW_PASSWORD | {"email": "eve@example.org"}).status_code == 403


@pytest.mark.parametrize("path", ["add/", "{}/change/", "{}/delete/", ""])
def test_only_superusers_change_groups(editor, path):
    group = Group.objects.get(name="auditor")
    permissions = list(Permission.objects.values_list("pk", flat=True))
    form = {"name": "auditor" if "{}" in path else "new", "permissions": permissions, "post": "yes"}
    form |= {"action": "delete_selected", "_selected_action": [group.pk]}
    before = set(Group.objects.values_list("name", "permissions"))
    answer = logged_in(editor).post("/admin/auth/group/" + path.format(group.pk), form)
    assert answer.status_code == (200 if path == "" else 403)
    assert set(Group.objects.values_list("name", "permissions")) == before


def test_a_superuser_gives_rights_to_others_and_edits_groups(root, people):
    ann, group = people["a customer"], Group.objects.get(name="auditor")
    assert logged_in(root).post(f"{USERS}{ann.pk}/change/", forged(ann)).status_code == 302
    given = rights_of(ann)
    assert (given["is_staff"], given["is_superuser"], given["groups"]) == (True, True, set(Group.objects.all()))
    assert logged_in(root).post(f"/admin/auth/group/{group.pk}/change/", {"name": "auditor"}).status_code == 302
    assert group.permissions.count() == 0


def test_a_superuser_changes_nothing_of_their_own_rights(root):
    before = rights_of(root)
    root.groups.add(Group.objects.get(name="auditor"))
    before = rights_of(root)
    # Browsers do not send unchecked boxes.
    answer = logged_in(root).post(f"{USERS}{root.pk}/change/", {"email": root.email, "name": "Root"})
    assert answer.status_code == 302
    stored = User.objects.get(pk=root.pk)
    assert (stored.name, stored.is_active) == ("Root", True)
    assert rights_of(root) == before


@pytest.mark.parametrize("spelling", ["{0}", "{0.hex}", "{{{0}}}", "urn:uuid:{0}"])
@pytest.mark.parametrize("form", [NEW_PASSWORD, {"usable_password": "false", "unset-password": "1"}])
def test_ones_own_password_needs_the_old_one(root, spelling, form):
    before = account_of(root)
    answer = logged_in(root).post(f"{USERS}{spelling.format(root.pk)}/password/", form)
    assert answer.status_code == 302
    assert answer["Location"] == "/admin/password_change/"
    assert account_of(root) == before


@pytest.mark.parametrize("field", sorted({field.name for field in User._meta.get_fields()} | {"id", "pk", "role"}))
def test_no_field_but_those_of_the_form_can_be_set_by_the_api(field):
    allowed = {"email": "eva@example.org", "password": "another good one", "name": "Eva"}
    new = {"email": "eve@example.org", "password": PASSWORD, field: allowed.get(field, True)}
    registered = client_of().post("/api/v1/users/", new)
    ann = new_user()
    before = account_of(ann)
    changed = client_of(ann).patch("/api/v1/users/me/", {field: allowed.get(field, True)})
    assert registered.status_code == (201 if field in allowed else 400)
    assert changed.status_code == (200 if field == "name" else 400)
    assert account_of(ann) | {"name": ""} == before | {"name": ""}
    assert not User.objects.filter(is_staff=True).exists()


def give(user: User, name: str) -> None:
    setattr(user, name, True)
    user.save()


def bulk_give(user: User) -> None:
    user.is_superuser = True
    User.objects.bulk_update([user], ["is_superuser"])


#: Ways in which a page that forgets to ask could give rights.
WAYS: dict[str, Callable[[User], object]] = {
    "save": lambda user: give(user, "is_superuser"),
    "save of staff status": lambda user: give(user, "is_staff"),
    "update": lambda user: User.objects.filter(pk=user.pk).update(is_superuser=True),
    "bulk_update": bulk_give,
    "bulk_create": lambda _: User.objects.bulk_create([User(email="eve@example.org", is_superuser=True)]),
    "create_superuser": lambda _: User.objects.create_superuser("eve@example.org"),
    "groups.add": lambda user: user.groups.add(Group.objects.get(name="operator")),
    "groups.set": lambda user: user.groups.set(Group.objects.all()),
    "user_set.set": lambda user: Group.objects.get(name="operator").user_set.set([user]),
    "user_permissions.add": lambda user: user.user_permissions.add(Permission.objects.get(codename="change_stock")),
    "permissions.add": lambda _: Group.objects.get(name="auditor").permissions.add(*Permission.objects.all()),
    "group_set.add": lambda _: Permission.objects.get(codename="change_stock").group_set.add(*Group.objects.all()),
    "permissions.clear": lambda _: Group.objects.get(name="auditor").permissions.clear(),
    "a new group": lambda _: Group.objects.create(name="new"),
    "a group less": lambda _: Group.objects.get(name="auditor").delete(),
}


def during_a_request_of(person: Any, change: Callable[[], object]) -> None:
    request = RequestFactory().post("/anywhere/")
    request.user = person

    def view(_: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            change()
        return HttpResponse()

    request_in_hand(view)(request)


@pytest.mark.parametrize("way", WAYS, ids=[name.replace(" ", "_") for name in WAYS])
def test_whatever_a_page_writes_only_superusers_give_rights(editor, root, way):
    ann = new_user()

    def everything() -> tuple[Any, ...]:
        return (
            set(User.objects.values_list("pk", "is_staff", "is_superuser", "groups", "user_permissions")),
            set(Group.objects.values_list("name", "permissions")),
        )

    before = everything()
    for person, account in ((editor, ann), (editor, editor), (ann, ann)):
        if account == editor and way in ("save of staff status", "user_permissions.add"):
            continue  # has it already
        with pytest.raises(PermissionDenied):
            during_a_request_of(person, partial(WAYS[way], User.objects.get(pk=account.pk)))
        assert everything() == before
    during_a_request_of(root, lambda: WAYS[way](ann))
    assert everything() != before
