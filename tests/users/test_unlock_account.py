"""`manage.py unlock_account` ends the lock-out of an account without its address in any record."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from project.api.throttles import AddressThrottle
from project.audit.models import Change
from project.bus.operator.audit import operating_system_user
from tests.api.clients import client_of
from users.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _high_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AddressThrottle, "RATES", dict.fromkeys(("login", "register", "refresh"), 10_000))


def create() -> User:
    return User.objects.create_superuser("ann@example.org", PASSWORD)


def log_in(password: str = PASSWORD) -> int:
    body = {"email": "ann@example.org", "password": password}
    return client_of().post("/api/v1/auth/token/", body).status_code


def fail_ten_times() -> None:
    assert [log_in("wrong") for _ in range(10)] == [401] * 10
    assert log_in() == 429


@pytest.mark.parametrize("email", ["ann@example.org", " ANN@example.org"])
def test_a_command_ends_the_lock_out_of_the_only_superuser(email, caplog):
    root = create()
    fail_ten_times()
    output = StringIO()
    call_command("unlock_account", email, stdout=output)
    assert output.getvalue() == f"The failed log-ins to account {root.pk} are forgotten: its owner can log in now.\n"
    assert log_in() == 200
    change = Change.objects.get(object_id=str(root.pk), action="change", fields__has_key="lock_out")
    assert (change.object_type, change.fields) == ("users.user", {"lock_out": "cleared by staff"})
    assert change.actor == operating_system_user()
    call_command("unlock_account", email, stdout=output)
    assert "Nothing was changed." in output.getvalue()
    assert Change.objects.filter(fields__has_key="lock_out").count() == 1
    assert "ann@" not in output.getvalue() + caplog.text


@pytest.mark.parametrize("email", ["bob@example.org", "", "x" * 300, "\u212a"])
def test_unlocking_an_address_without_an_account_is_refused_and_does_not_repeat_it(email):
    create()
    fail_ten_times()
    with pytest.raises(CommandError, match=r"^No account has this address\. Check its spelling\.$"):
        call_command("unlock_account", email)
    assert log_in() == 429
