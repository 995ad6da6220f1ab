"""Failed log-ins lock out an account or an address, for longer each time, wherever a password is checked."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from project.api.throttles import AddressThrottle
from tests.api.clients import assert_problem, client_of, new_user
from tests.system import eventually
from users import attempts, hashers
from users.models import LogInAttempts, User

LOGIN = "/api/v1/auth/token/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _high_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttles come first, but these tests are about what comes after them."""
    monkeypatch.setattr(AddressThrottle, "RATES", dict.fromkeys(("login", "register", "refresh"), 10_000))


@pytest.fixture
def ann(db: None) -> User:
    return with_password("ann@example.org")


def with_password(email: str, **fields: Any) -> User:
    return User.objects.create_user(email, PASSWORD, **fields)


def log_in(email: str = "ann@example.org", password: str = "wrong", **headers: Any) -> Any:
    return client_of().post(LOGIN, {"email": email, "password": password}, **headers)


def fail(times: int, **options: Any) -> None:
    for _ in range(times):
        assert log_in(**options).status_code == 401


def pass_time(**time: int) -> None:
    """Let time pass for all counts."""
    for row in LogInAttempts.objects.all():
        row.expires_at -= timedelta(**time)
        row.locked_until = row.locked_until and row.locked_until - timedelta(**time)
        row.save()


@pytest.mark.parametrize("email", ["ann@example.org", "nobody@example.org", "no-address"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"], ids=["right", "wrong"])
def test_the_eleventh_attempt_gets_the_same_answer_for_any_account_and_password(ann, email, password):
    fail(10, email=email)
    answer = log_in(email, password)
    problem = assert_problem(answer, 429)
    assert problem["type"] == "urn:orderly:problem:throttled"
    assert problem["detail"] == (
        "Too many failed log-ins to this account or from this address. "
        "The header Retry-After has the number of seconds."
    )
    assert 50 < int(answer["Retry-After"]) <= 60


@pytest.mark.parametrize("spelling", ["ANN@example.org", " ann@example.org ", "Ann@Example.ORG"], ids=str.strip)
def test_each_spelling_of_an_address_is_the_same_account(ann, spelling):
    fail(10, email=spelling)
    assert_problem(log_in(password=PASSWORD), 429)


def test_a_lock_out_ends_and_the_next_one_is_twice_as_long_up_to_an_hour(ann):
    fail(10)
    waits = []
    for _ in range(8):
        waits.append(int(log_in()["Retry-After"]))
        pass_time(seconds=waits[-1])
        fail(1)
    assert [round(wait / 60) for wait in waits] == [1, 2, 4, 8, 16, 32, 60, 60]
    pass_time(hours=1)
    assert log_in(password=PASSWORD).status_code == 200


def test_a_success_forgets_the_failures_of_the_account_but_not_of_the_address(ann):
    fail(9)
    assert log_in(password=PASSWORD).status_code == 200
    fail(9)
    assert log_in(password=PASSWORD).status_code == 200
    assert sorted(LogInAttempts.objects.values_list("failures", flat=True)) == [0, 18]


def test_failures_that_lock_nobody_out_are_forgotten_after_a_day(ann):
    fail(9)
    pass_time(days=1)
    fail(9)
    assert log_in(password=PASSWORD).status_code == 200


def test_an_address_is_locked_out_after_fifty_failures_at_any_accounts(ann):
    for number in range(50):
        fail(1, email=f"{number}@example.org")
    assert_problem(log_in(password=PASSWORD), 429)
    assert log_in(password=PASSWORD, REMOTE_ADDR="192.0.2.7").status_code == 200
    assert not attempts.locked_until("ann@example.org"), "what is refused counts for nobody"
    pass_time(minutes=2)
    assert log_in(password=PASSWORD).status_code == 200
    assert LogInAttempts.objects.filter(failures=50).exists(), "its own attempt is taken back, with its lock-out"
    assert log_in(password=PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("2001:db8::1", "2001:db8::2:3:4:5", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
    ],
)
def test_ipv6_is_counted_by_network(ann, first, second, shared):
    for number in range(50):
        fail(1, email=f"{number}@example.org", REMOTE_ADDR=first)
    assert log_in(password=PASSWORD, REMOTE_ADDR=second).status_code == (429 if shared else 200)


def test_the_table_tells_no_address_and_no_account(ann):
    log_in(REMOTE_ADDR="192.0.2.7")
    for row in LogInAttempts.objects.values_list():
        assert "192.0.2.7" not in str(row)
        assert "ann" not in str(row)
    assert "1 failed" in str(LogInAttempts.objects.first())


def test_the_log_tells_of_a_lock_out_without_names(ann, caplog):
    fail(10, REMOTE_ADDR="192.0.2.7")
    assert "an account is locked out for 60 s after 10 failed log-ins" in caplog.text
    assert "192.0.2.7" not in caplog.text
    assert "ann" not in caplog.text


def test_the_admin_counts_and_refuses_too(db):
    with_password("staff@example.org", is_staff=True)
    credentials = {"username": "staff@example.org", "password": "wrong"}
    for _ in range(10):
        assert b"Please enter the correct" in Client().post("/admin/login/", credentials).content
    page = Client().post("/admin/login/", credentials | {"password": PASSWORD}).content.decode()
    assert "Too many failed log-ins" in page
    assert "Try again in" in page
    assert_problem(log_in("staff@example.org", PASSWORD), 429)


def test_the_old_password_in_the_admin_counts_like_a_log_in(db):
    staff = with_password("staff@example.org", is_staff=True)
    browser = Client()
    browser.force_login(staff)
    form = {"old_password": "wrong", "new_password1": PASSWORD[::-1], "new_password2": PASSWORD[::-1]}
    for _ in range(10):
        assert (
            "Your old password was entered incorrectly"
            in browser.post("/admin/password_change/", form).content.decode()
        )
    form["old_password"] = PASSWORD
    assert "Too many failed log-ins" in browser.post("/admin/password_change/", form).content.decode()
    attempts.unlock(User.objects.get(email="staff@example.org"))
    assert browser.post("/admin/password_change/", form).status_code == 302
    assert log_in("staff@example.org", PASSWORD[::-1]).status_code == 200


def test_the_old_password_in_the_api_counts_like_a_log_in(ann):
    client = client_of(ann)
    body = {"old_password": "wrong", "new_password": PASSWORD[::-1]}
    for _ in range(10):
        assert_problem(client.post("/api/v1/users/me/password/", body), 400, "old_password")
    assert_problem(client.post("/api/v1/users/me/password/", body | {"old_password": PASSWORD}), 429)
    ann.refresh_from_db()
    assert ann.password == User.objects.get(pk=ann.pk).password


def test_a_superuser_sees_and_clears_lock_outs_and_others_cannot(ann):
    fail(10)
    page = f"/admin/users/user/{ann.pk}/change/"
    form = {"action": "clear_lock_outs", "_selected_action": [str(ann.pk)]}
    superuser = Client()
    superuser.force_login(new_user(is_staff=True, is_superuser=True))
    until = timezone.localtime(attempts.locked_until(ann.email)).strftime("%Y-%m-%d %H:%M")
    assert until in superuser.get(page).content.decode()
    staff = new_user(is_staff=True)
    staff.user_permissions.set(permissions("view_user", "change_user"))
    other = Client()
    other.force_login(staff)
    other.post("/admin/users/user/", form)
    assert_problem(log_in(password=PASSWORD), 429)
    answer = superuser.post("/admin/users/user/", form, follow=True).content.decode()
    assert "Failed log-ins forgotten: 1 of 1 accounts had any." in answer
    assert log_in(password=PASSWORD).status_code == 200


def permissions(*names: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.filter(codename__in=names)


@pytest.mark.parametrize("password", ["wrong", PASSWORD], ids=["wrong", "right"])
def test_of_parallel_guesses_no_more_are_checked_than_the_limit_allows(transactional_db, monkeypatch, password):
    """Each waits in the middle of its check, so all of them are under way at the same time."""
    with_password("ann@example.org")
    checked = []

    def check(self: Any, password: str, encoded: str) -> bool:
        checked.append(password)
        return False

    monkeypatch.setattr(hashers.Argon2, "verify", check)

    def guess(_: int) -> int:
        try:
            return int(log_in(password=password).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(24)))
    assert sorted(answers) == [401] * 10 + [429] * 14
    assert len(checked) == 10


def test_two_who_count_at_the_same_time_wait_for_each_other(transactional_db):
    """The second one comes while the first one has counted and has not committed."""
    fail(1)
    key = attempts.ACCOUNT.key("ann@example.org")

    def count() -> None:
        try:
            attempts.begin(email="ann@example.org", address=None)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            attempts.add(attempts.ACCOUNT, key)
            second = pool.submit(count)
            if connection.vendor == "postgresql":
                eventually(is_waiting_for_a_lock, within=20, what="the second one waits")
        second.result(timeout=30)
    assert LogInAttempts.objects.get(key=key).failures == 3


def is_waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        # pg_stat_activity does not change within a transaction.
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_old_counts_are_removed_when_a_new_one_is_added(db):
    fail(3, email="old@example.org")
    pass_time(days=2)
    assert LogInAttempts.objects.count() == 2
    fail(1, email="new@example.org", REMOTE_ADDR="192.0.2.7")
    assert LogInAttempts.objects.count() == 2
    assert not LogInAttempts.objects.filter(expires_at__lt=timezone.now()).exists()


def test_without_a_request_only_the_account_is_counted(ann):
    assert not Client().login(username="ann@example.org", password="wrong")
    assert LogInAttempts.objects.count() == 1
    assert not Client().login(username="ann@example.org")
    assert LogInAttempts.objects.get().failures == 1
