"""BUS_DATABASE: the bus's tables in another database than the default."""

from django.core.checks import run_checks

from tests.bus.foreign_project import run_project

PROJECT = {
    "settings.py": """
SECRET_KEY = "foreign"
INSTALLED_APPS = ["postbox", "shop"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"},
    "second": {"ENGINE": "django.db.backends.sqlite3", "NAME": "bus.sqlite3"},
}
DATABASE_ROUTERS = ["postbox.routers.BusRouter"]
BUS_DATABASE = "second"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
""",
    "shop/__init__.py": "",
    "shop/tasks.py": """
from postbox import Event, subscribe

class Sold(Event, name="shop.sold", subject="item"):
    item: str

@subscribe(Sold)
def wrap(event):
    print("wrapped", event.item)
""",
    "main.py": """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
from django.db import connections, transaction
for alias in connections:
    call_command("migrate", database=alias, verbosity=0)
from postbox import publish
from postbox.errors import PublishedOutsideTransaction
from postbox.models import Delivery, Receipt
from postbox.registry import handlers
from postbox.relay.scan import due_handlers
from postbox.worker.consumer import answer_bell
from shop.tasks import Sold
try:
    with transaction.atomic():
        publish(Sold(item="hat"))
except PublishedOutsideTransaction:
    print("refused")
with transaction.atomic(using="second"):
    publish(Sold(item="hat"))
for due in due_handlers():
    answer_bell(handlers[due.handler])
print(Delivery.objects.count(), Receipt.objects.count())
for alias in connections:
    print(alias, any(name.startswith("bus_") for name in connections[alias].introspection.table_names()))
""",
}


def test_the_bus_works_in_a_second_database_and_has_tables_only_there(tmp_path):
    printed = run_project(tmp_path, files=PROJECT)
    assert printed.splitlines() == ["refused", "wrapped hat", "0 1", "default False", "second True"]


def errors() -> list[str]:
    return [message.id for message in run_checks(databases=[]) if message.id in ("bus.E002", "bus.E003")]


def test_an_unknown_database_is_an_error(settings, db):
    assert errors() == []
    settings.BUS_DATABASE = "third"
    assert errors() == ["bus.E002"]


def test_another_database_without_the_router_is_an_error(settings, db, monkeypatch):
    settings.BUS_DATABASE = "second"
    monkeypatch.setitem(settings.DATABASES, "second", settings.DATABASES["default"])
    assert errors() == ["bus.E003"]
    settings.DATABASE_ROUTERS = ["project.bus.routers.BusRouter"]
    assert errors() == []
