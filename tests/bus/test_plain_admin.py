"""The bus's admin in a Django project without unfold, where the bus has another name."""

from tests.bus.foreign_project import run_project

PROJECT = {
    "settings.py": """
SECRET_KEY = "foreign"
ALLOWED_HOSTS = ["testserver", "127.0.0.1"]
DEBUG = True
ROOT_URLCONF = "urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "postbox",
    "shop",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
USE_TZ = True
BUS_ADMIN_PAGES = {"user_id": "auth_user"}
""",
    "urls.py": """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
""",
    "shop/__init__.py": "",
    "shop/tasks.py": """
from postbox import Event, PermanentError, subscribe

class Sold(Event, name="shop.sold", subject="user_id"):
    user_id: str

@subscribe(Sold)
def wrap(event):
    pass

@subscribe(Sold)
def fail(event):
    raise PermanentError("<b>the box is too small</b>")
""",
    "start.py": """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.db import transaction
from postbox import publish
from postbox.models import AuditEntry, RefusedMessage
from postbox.registry import handlers
from postbox.worker.consumer import answer_bell
from shop.tasks import Sold

call_command("migrate", verbosity=0)
root = User.objects.create_superuser("root", password="horse")
clerk = User.objects.create_user("clerk", password="horse", is_staff=True)
clerk.user_permissions.add(Permission.objects.get(codename="view_delivery"))
for _ in range(2):
    with transaction.atomic():
        publish(Sold(user_id=str(root.pk)))
for name in ("shop.wrap", "shop.fail"):
    answer_bell(handlers[name])
AuditEntry.objects.create(actor="root", action="pause", request={"handlers": ["shop.wrap"]}, outcome={"owed": 0})
RefusedMessage.objects.create(queue="shop", reason="not a bell", count=1, sample="<b>")
""",
    "main.py": """
import start
import sys
from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import reverse
from postbox.models import AuditEntry, Delivery, Event, Failure, FailureCount, Receipt, RefusedMessage, Subscription

assert "unfold" not in sys.modules
setup_test_environment()
client = Client(enforce_csrf_checks=True)

def post(address, **data):
    return client.post(address, {**data, "csrfmiddlewaretoken": client.cookies["csrftoken"].value}, follow=True)

def log_in(name):
    client.get("/admin/login/")
    assert post("/admin/login/", username=name, password="horse").wsgi_request.user.username == name

log_in("root")
for model in (AuditEntry, Delivery, Event, Failure, FailureCount, Receipt, RefusedMessage, Subscription):
    page = f"admin:bus_{model._meta.model_name}"
    row = model.objects.first()
    answer = client.get(reverse(f"{page}_changelist"))
    assert answer.status_code == 200, page
    assert f"{model.objects.count()} " in answer.content.decode().partition('class="paginator"')[2]
    shown = client.get(reverse(f"{page}_change", args=[row.pk]))
    assert shown.status_code == 200, page
    assert "<b>" not in shown.content.decode()
    assert 'class="historylink"' not in shown.content.decode()
    assert client.get(reverse(f"{page}_add")).status_code == 403
    assert post(reverse(f"{page}_delete", args=[row.pk]), post="yes").status_code == 403
    assert model.objects.filter(pk=row.pk).exists()

# Lists: labels are text, a subject is a link, filters and searches work.
events = client.get(reverse("admin:bus_event_changelist"), {"type": "shop.sold"}).content.decode()
assert "1 dead, 1 done" in events
assert reverse("admin:auth_user_change", args=[start.root.pk]) in events
deliveries = reverse("admin:bus_delivery_changelist")
one, other = Delivery.objects.order_by("pk")
for query, number in (
    ({"state": "dead"}, 2),
    ({"state": "due"}, 0),
    ({"q": str(one.pk)}, 1),
    ({"q": str(other.event_id)}, 1),
):
    answer = client.get(deliveries, query)
    assert answer.context["cl"].result_count == number, query
    assert "All deliveries" in answer.content.decode()
for refused in ("event__data__a__b=1", "event__subject__regex=(a%2B)%2B", "handler__startswith=s", "id__in=1,2", "o=1"):
    answer = client.get(f"{deliveries}?{refused}", follow=True)
    assert answer.status_code == 200 and (refused == "o=1" or answer.redirect_chain), refused
assert client.get(f"{deliveries}?e=1&id__gt=1").status_code == 400
answer = client.get(deliveries, {"p": "9", "nonsense": "1"}, follow=True)
assert "There is no such page or filter" in answer.content.decode()

def is_dead(delivery):
    return Delivery.objects.get(pk=delivery.pk).dead_at is not None

# One dead letter: its page links to a confirmation, and only the confirmed POST retries it.
page, retry = (reverse(f"admin:bus_delivery_{name}", args=[one.pk]) for name in ("change", "retry"))
assert retry in client.get(page).content.decode()
assert "None" not in client.get(page).content.decode()
asked = client.get(retry)
assert asked.status_code == 200 and "due for its handler again" in asked.content.decode()
assert client.post(retry).status_code == 403  # without the CSRF token
assert is_dead(one)
answer = post(retry)
assert answer.redirect_chain == [(reverse("admin:bus_event_change", args=[one.event_id]), 302)]
assert "Due again, now: shop.fail." in answer.content.decode()
assert not is_dead(one) and is_dead(other)
assert retry not in client.get(page).content.decode()
assert "Not dead, so left alone" in post(retry).content.decode()
gone = reverse("admin:bus_delivery_retry", args=[4711])
assert client.get(gone).status_code == 200
assert "no longer owed" in post(gone).content.decode()

# Many.
from postbox.admin.deliveries import DeliveryAdmin
DeliveryAdmin.max_action_rows = 1
for selected in ({"_selected_action": [one.pk, other.pk]}, {"_selected_action": [one.pk], "select_across": "1"}):
    answer = post(deliveries, action="retry_dead_letters", **selected)
    assert "2 deliveries are selected, and nothing was changed" in answer.content.decode()
DeliveryAdmin.max_action_rows = 2
answer = post(deliveries, action="retry_dead_letters", _selected_action=[one.pk, other.pk])
assert "Due again: 1." in answer.content.decode() and "Not dead, so left alone: 1." in answer.content.decode()
assert not is_dead(other)
entry = AuditEntry.objects.latest("pk")
assert (entry.actor, entry.action, entry.outcome) == (str(start.root.pk), "retry", {"deliveries": 1})

# A user who may only view cannot retry.
from postbox.worker.consumer import answer_bell
from postbox.registry import handlers
answer_bell(handlers["shop.fail"])
assert is_dead(one)
post("/admin/logout/")
log_in("clerk")
answer = client.get(page)
assert answer.status_code == 200 and retry not in answer.content.decode()
assert client.get(retry).status_code == post(retry).status_code == 403
post(deliveries, action="retry_dead_letters", _selected_action=[one.pk])
assert is_dead(one)
print("all done")
""",
}


def test_the_admin_works_without_unfold(tmp_path):
    printed = run_project(tmp_path, files=PROJECT)
    assert printed.split() == ["all", "done"]
