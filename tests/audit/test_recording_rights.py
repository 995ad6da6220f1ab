"""Who changed which account, right or group is in the audit, without names, addresses and passwords."""

import getpass
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from tests.api.clients import client_of, new_user
from tests.audit.helpers import PASSWORD, Recorded, admin_of
from users import attempts
from users.models import User
from users.operations import register_customers, register_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def root() -> User:
    return new_user(is_staff=True, is_superuser=True)


def test_rights_are_recorded_by_name_and_passwords_and_addresses_without_values(root):
    ann = register_user(email="ann@example.org", password=PASSWORD, name="Ann Lee")
    group = Group.objects.get(name="auditor")
    recorded = Recorded()
    client = admin_of(root)
    form = {"email": "lee@example.org", "name": "Ann Lee", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    assert client.post(f"/admin/users/user/{ann.pk}/change/", form).status_code == 302
    password = {"usable_password": "true", "password1": "another good one", "password2": "another good one"}
    assert client.post(f"/admin/users/user/{ann.pk}/password/", password).status_code == 302
    without = {"usable_password": "false", "unset-password": "1"}
    assert client.post(f"/admin/users/user/{ann.pk}/password/", without).status_code == 302
    expected = [
        {"is_staff": [False, True], "email": "changed"},
        {"groups": [[], ["auditor"]]},
        {"password": "changed"},
        {"password": "changed"},
    ]
    assert recorded() == [(str(root.pk), "change", "users.user", str(ann.pk), fields) for fields in expected]
    text = str(recorded())
    assert not any(secret in text for secret in ("Lee", "lee@", "ann@", "argon2", "another good"))


def test_rights_are_recorded_from_either_side_of_a_relation(root):
    ann, group = new_user(), Group.objects.get(name="auditor")
    view, change = (Permission.objects.get(codename=f"{verb}_stock") for verb in ("view", "change"))
    group.permissions.set([view])
    recorded = Recorded()
    group.user_set.add(ann, root)
    group.user_set.add(ann)
    root.groups.clear()
    group.user_set.clear()
    ann.user_permissions.add(view, change)
    ann.user_permissions.remove(view)
    group.permissions.add(change)
    change.group_set.remove(group)
    group.permissions.clear()
    assert [row[2:] for row in recorded()] == [
        *(
            ("users.user", str(user.pk), {"groups": [[], ["auditor"]]})
            for user in sorted((ann, root), key=lambda user: user.pk)
        ),
        ("users.user", str(root.pk), {"groups": [["auditor"], []]}),
        ("users.user", str(ann.pk), {"groups": [["auditor"], []]}),
        (
            "users.user",
            str(ann.pk),
            {"user_permissions": [[], ["inventory.change_stock", "inventory.view_stock"]]},
        ),
        (
            "users.user",
            str(ann.pk),
            {
                "user_permissions": [
                    ["inventory.change_stock", "inventory.view_stock"],
                    ["inventory.change_stock"],
                ]
            },
        ),
        (
            "auth.group",
            "auditor",
            {"permissions": [["inventory.view_stock"], ["inventory.change_stock", "inventory.view_stock"]]},
        ),
        (
            "auth.group",
            "auditor",
            {"permissions": [["inventory.change_stock", "inventory.view_stock"], ["inventory.view_stock"]]},
        ),
        ("auth.group", "auditor", {"permissions": [["inventory.view_stock"], []]}),
    ]


def test_groups_are_recorded_as_they_come_and_go(root):
    recorded = Recorded()
    client = admin_of(root)
    view = Permission.objects.get(codename="view_stock")
    assert client.post("/admin/auth/group/add/", {"name": "cooks", "permissions": [view.pk]}).status_code == 302
    cooks = Group.objects.get(name="cooks")
    assert client.post(f"/admin/auth/group/{cooks.pk}/delete/", {"post": "yes"}).status_code == 302
    permissions = ["inventory.view_stock"]
    assert [row[1:] for row in recorded()] == [
        ("add", "auth.group", "cooks", {"name": [None, "cooks"]}),
        ("change", "auth.group", "cooks", {"permissions": [[], permissions]}),
        ("delete", "auth.group", "cooks", {"name": ["cooks", None], "permissions": [permissions, []]}),
    ]
    assert {row[0] for row in recorded()} == {str(root.pk)}


def test_a_group_that_is_deleted_tells_whose_rights_went(root):
    ann, bob = new_user(is_staff=True), new_user(is_staff=True, is_active=False)
    group = Group.objects.get(name="auditor")
    group.user_set.set([ann, bob])
    recorded = Recorded()
    assert admin_of(root).post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 302
    ((*_, fields),) = recorded()
    assert fields["members"] == [sorted([str(ann.pk), str(bob.pk)]), []]
    page = admin_of(root).get("/admin/audit/change/").content.decode()
    assert str(ann.pk) in page


def test_a_rename_in_the_admin_is_recorded_without_the_names(root):
    ann = register_user(email="ann@example.org", password=PASSWORD, name="Ann Lee")
    recorded = Recorded()
    form = {"email": "ann@example.org", "name": "Ann Moor", "is_active": "on"}
    assert admin_of(root).post(f"/admin/users/user/{ann.pk}/change/", form).status_code == 302
    assert recorded() == [(str(root.pk), "change", "users.user", str(ann.pk), {"name": "changed"})]
    # Of one's own name there is no record: customers could fill the table.
    assert client_of(ann).patch("/api/v1/users/me/", {"name": "Ann Stone"}).status_code == 200
    assert len(recorded()) == 1


def test_a_lock_out_that_staff_clear_and_an_address_that_they_confirm_are_recorded(root):
    ann, bob = (register_user(email=f"{name}@example.org", password=PASSWORD) for name in ("ann", "bob"))
    for _ in range(attempts.ACCOUNT.failures):
        attempts.begin(email=ann.email, address=None)
    recorded = Recorded()
    for action, user, said, words in (
        ("clear_lock_outs", ann, {"lock_out": "cleared by staff"}, "Cleared the lock-out."),
        (
            "mark_addresses_confirmed",
            bob,
            {"email_confirmed_at": "confirmed by staff"},
            "Marked the address as confirmed.",
        ),
    ):
        form = {"action": action, "_selected_action": [str(user.pk)]}
        for _ in range(2):  # the second has nothing to do
            assert admin_of(root).post("/admin/users/user/", form).status_code == 302
        assert recorded().pop() == (str(root.pk), "change", "users.user", str(user.pk), said)
        assert LogEntry.objects.get(object_id=str(user.pk)).change_message == words
        assert "by staff" in admin_of(root).get("/admin/audit/change/").content.decode()
    assert len(recorded()) == 2


def test_commands_record_the_operating_systems_user(monkeypatch):
    recorded = Recorded()
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", interactive=False, email="root@example.org", stdout=StringIO())
    root = User.objects.get(email="root@example.org")
    monkeypatch.setattr("getpass.getpass", lambda **_: "another good one")
    call_command("changepassword", "root@example.org", stdout=StringIO())
    me, added = getpass.getuser(), {"is_active": [None, True], "is_staff": [None, True], "is_superuser": [None, True]}
    assert recorded() == [
        (me, "add", "users.user", str(root.pk), added),
        (me, "change", "users.user", str(root.pk), {"password": "changed"}),
    ]


def test_a_log_in_with_an_older_hash_is_no_change_of_the_password(settings):
    settings.PASSWORD_HASHERS = list(reversed(settings.PASSWORD_HASHERS))
    register_user(email="ann@example.org", password=PASSWORD)
    settings.PASSWORD_HASHERS = list(reversed(settings.PASSWORD_HASHERS))
    recorded = Recorded()
    login = {"email": "ann@example.org", "password": PASSWORD}
    assert client_of().post("/api/v1/auth/token/", login).status_code == 200
    assert User.objects.get().password.startswith("argon2")
    assert recorded() == []


def test_customers_who_register_are_not_recorded_but_accounts_that_staff_add_are(root):
    recorded = Recorded()
    new = {"email": "ann@example.org", "password": PASSWORD}
    assert client_of().post("/api/v1/users/", new).status_code == 201
    register_customers(names={"bob@example.org": "Bob"})
    assert recorded() == []
    form = {"email": "eve@example.org", "password1": "another good one", "password2": "another good one"}
    assert admin_of(root).post("/admin/users/user/add/", form | {"usable_password": "true"}).status_code == 302
    (row,) = recorded()
    eve = User.objects.get(email="eve@example.org")
    assert row[:4] == (str(root.pk), "add", "users.user", str(eve.pk))


def test_a_fixture_that_gives_rights_is_recorded(tmp_path):
    ann = new_user()
    file = tmp_path / "rights.json"
    file.write_text(f"""[{{"model": "users.user", "pk": "{ann.pk}", "fields": {{
        "email": "{ann.email}", "is_superuser": true, "groups": [["auditor"]]}}}}]""")
    recorded = Recorded()
    call_command("loaddata", str(file), verbosity=0)
    assert [row[4] for row in recorded() if row[2] == "users.user"] == [
        {"is_superuser": [False, True], "password": "changed", "name": "changed"},
        {"groups": [[], ["auditor"]]},
    ]
