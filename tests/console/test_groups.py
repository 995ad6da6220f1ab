"""The ready-made groups of staff: `migrate` makes those that are missing and leaves the others alone."""

from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS

from project.console.groups import READY_MADE, make_groups
from tests.test_docs import table

pytestmark = pytest.mark.django_db
PAGE = (Path(settings.BASE_DIR) / "docs" / "operations.md").read_text()


def permissions_of(name: str) -> set[str]:
    rows = Group.objects.get(name=name).permissions.values_list("content_type__app_label", "codename")
    return {".".join(row) for row in rows}


def test_a_database_has_all_groups_with_their_permissions():
    assert {name: permissions_of(name) for name in READY_MADE} == {
        name: set(permissions) for name, permissions in READY_MADE.items()
    }


def test_the_page_on_operations_has_the_groups_and_their_permissions():
    rows = table(PAGE, heading="Staff and their permissions")
    assert {name: tuple(permissions.split(", ")) for name, permissions in rows} == READY_MADE


def test_auditors_may_view_whatever_the_others_may_and_change_nothing():
    views = {name for permissions in READY_MADE.values() for name in permissions if ".view_" in name}
    assert views <= set(READY_MADE["auditor"])
    assert all(".view_" in name for name in READY_MADE["auditor"])
    assert "audit.view_change" in views


def test_no_group_gives_rights_or_changes_accounts():
    given = {name for permissions in READY_MADE.values() for name in permissions}
    assert not {name for name in given if name.startswith(("auth.", "users.", "admin."))} - {
        "auth.view_group",
        "users.view_user",
        "users.view_mailcount",
    }


def test_migrate_keeps_a_group_that_was_edited_and_makes_one_that_is_missing():
    Group.objects.get(name="operator").permissions.set([Permission.objects.get(codename="view_event")])
    Group.objects.get(name="auditor").delete()
    call_command("migrate", verbosity=0)
    assert permissions_of("operator") == {"bus.view_event"}
    assert permissions_of("auditor") == set(READY_MADE["auditor"])


def test_a_group_waits_until_all_its_permissions_are_there():
    Group.objects.filter(name__in=READY_MADE).delete()
    Permission.objects.get(codename="view_movement").delete()
    make_groups(using=DEFAULT_DB_ALIAS)
    assert set(Group.objects.values_list("name", flat=True)) == {"shop staff", "operator"}


def test_a_group_waits_for_the_tables_that_it_is_written_to(monkeypatch):
    Group.objects.filter(name__in=READY_MADE).delete()
    audit = apps.get_model("audit", "change")
    others = [model for model in apps.get_models() if model is not audit]
    monkeypatch.setattr(apps, "get_models", lambda **_: others)
    make_groups(using=DEFAULT_DB_ALIAS)
    assert not Group.objects.exists()


def test_without_a_service_the_groups_lack_its_permissions(monkeypatch):
    Group.objects.filter(name__in=READY_MADE).delete()
    Permission.objects.filter(content_type__app_label="inventory").delete()
    configs = [config for config in apps.get_app_configs() if config.label != "inventory"]
    monkeypatch.setattr(apps, "get_app_configs", lambda: configs)
    make_groups(using=DEFAULT_DB_ALIAS)
    assert permissions_of("shop staff") == {
        name for name in READY_MADE["shop staff"] if not name.startswith("inventory.")
    }
