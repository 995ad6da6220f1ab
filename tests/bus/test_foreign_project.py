"""The bus in a Django project without a Celery app: its folder alone, under another name."""

from tests.bus.foreign_project import run_project

PROJECT = {
    "settings.py": """
SECRET_KEY = "foreign"
INSTALLED_APPS = ["postbox", "shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
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
    print("wrapped", event.item, event.sequence)
""",
    "main.py": """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.core.management import call_command
from django.db import transaction
call_command("migrate", verbosity=0)
from postbox import publish
from postbox.models import Delivery, Receipt
from postbox.registry import handlers
from postbox.worker.consumer import answer_bell
from shop.tasks import Sold
with transaction.atomic():
    publish(Sold(item="hat", sequence=7))
answer_bell(handlers["shop.wrap"])
print(Delivery.objects.count(), Receipt.objects.count())
""",
}


def test_the_bus_carries_an_event_in_a_foreign_project_under_another_name(tmp_path):
    printed = run_project(tmp_path, files=PROJECT)
    assert printed.split() == ["wrapped", "hat", "7", "0", "1"]
