"""Boundaries that import-linter cannot check: relations between apps, and processes without one of the services."""

import os
import subprocess
import sys
from pathlib import Path

from django.apps import apps
from django.conf import settings

from project.bus.models import Delivery, Subscription
from project.events import OrderPlaced
from tests.system import database_url

ROOT = Path(settings.BASE_DIR)


def is_ours(label: str) -> bool:
    return Path(apps.get_app_config(label).path).is_relative_to(ROOT) and ".venv" not in apps.get_app_config(label).path


def test_no_relation_crosses_from_one_app_to_another():
    across = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if field.is_relation and field.related_model and not field.auto_created
        if is_ours(model._meta.app_label) and is_ours(field.related_model._meta.app_label)
        if model._meta.app_label != field.related_model._meta.app_label
    ]
    assert across == []
    assert {label for label in ("users", "orders", "inventory", "bus", "console", "demo") if is_ours(label)} == {
        *("users", "orders", "inventory", "bus", "console", "demo")
    }


WITHOUT_INVENTORY = """
from project.settings import *
INSTALLED_APPS = [app for app in INSTALLED_APPS if app != "inventory"]
ROOT_URLCONF = "no_urls"
"""
PUBLISH = """
import django
django.setup()
from uuid import uuid4
from django.apps import apps
from django.core.management import call_command
from django.db import transaction
from project.bus import publish
from project.events import Line, OrderPlaced
assert not apps.is_installed("inventory")
call_command("migrate", verbosity=0)
with transaction.atomic():
    publish(OrderPlaced(order_id=uuid4(), customer_id=uuid4(), lines=[Line(sku="CUP", quantity=1)]))
"""


def test_a_process_without_inventory_still_publishes_deliveries_for_inventory(transactional_db, tmp_path):
    before = set(Subscription.objects.filter(active=True).values_list("event_type", "handler"))
    assert (OrderPlaced.wire_name, "inventory.reserve_stock") in before
    (tmp_path / "without_inventory.py").write_text(WITHOUT_INVENTORY)
    (tmp_path / "no_urls.py").write_text("urlpatterns = []")
    run = subprocess.run(
        [sys.executable, "-c", PUBLISH],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "without_inventory",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert set(Subscription.objects.filter(active=True).values_list("event_type", "handler")) == before
    owed = Delivery.objects.get(handler="inventory.reserve_stock")
    assert owed.event.data["lines"] == [{"sku": "CUP", "quantity": 1}]
