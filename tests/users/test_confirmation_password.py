"""The link in a mail confirms an address only with the password of its account, and counts like a log-in."""

import re
from typing import Any

import pytest
from django.test import Client

from project.api.throttles import AddressThrottle
from tests.api.clients import assert_problem, client_of, new_user
from tests.users.confirming import PASSWORD, confirm, link_in, token_in
from users import attempts, confirmation, hashers, operations
from users.confirmation import confirmation_token
from users.models import LogInAttempts, User

pytestmark = pytest.mark.django_db
CREDENTIALS = {"email": "ann@example.org", "password": PASSWORD}
CONFIRM, TOKENS = "/api/v1/users/confirm/", "/api/v1/auth/token/"


@pytest.fixture(autouse=True)
def _high_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Throttles come first, but these tests are about what comes after them."""
    monkeypatch.setattr(AddressThrottle, "RATES", dict.fromkeys(("login", "register", "refresh"), 10_000))


@pytest.fixture
def mail(settings, drain, mailoutbox) -> Any:
    """The mail to an address with which somebody registered over HTTP."""
    settings.CONFIRM_EMAIL = True
    assert client_of().post("/api/v1/users/", CREDENTIALS).status_code == 201
    drain()
    return mailoutbox[0]


def confirm_in_api(token: str, password: Any = PASSWORD, **headers: Any) -> Any:
    return client_of().post(CONFIRM, {"token": token, "password": password}, **headers)


def is_confirmed() -> bool:
    return User.objects.get().email_confirmed_at is not None


def test_the_mail_says_in_one_sentence_what_to_do_for_those_who_did_not_register(mail):
    assert "If you did not register, do nothing." in mail.body
    assert "enter your password" in mail.body


WRONG = {
    "another": "another horse battery",
    "in-upper-case": PASSWORD.upper(),
    "with-a-space": f"{PASSWORD} ",
    "the-address": "ann@example.org",
    "a-part": PASSWORD[:-1],
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_password_confirms_nothing_and_says_so(mail, kind):
    problem = assert_problem(confirm_in_api(token_in(mail), WRONG[kind]), 400, "password")
    assert problem["errors"][0]["code"] == "wrong"
    page = confirm(link_in(mail), WRONG[kind])
    assert page.status_code == 400
    text = page.content.decode()
    assert "This is not the password of the account." in text
    assert 'aria-invalid="true" aria-describedby="password-error"' in text
    assert WRONG[kind] not in text
    assert not is_confirmed()
    assert confirm(link_in(mail)).status_code == 200
    assert is_confirmed()


def test_without_a_password_nothing_is_confirmed_and_none_is_checked(mail):
    assert_problem(client_of().post(CONFIRM, {"token": token_in(mail)}), 400, "password")
    assert_problem(confirm_in_api(token_in(mail), ""), 400, "password")
    assert_problem(confirm_in_api(token_in(mail), None), 400, "password")
    assert_problem(confirm_in_api(token_in(mail), "x" * 201), 400, "password")
    for form in ({}, {"password": ""}, {"password": "x" * 201}, {"password": "a\0b"}):
        assert Client().post(link_in(mail), form).status_code == 400
    assert "Enter the password" in Client().post(link_in(mail)).content.decode()
    assert not is_confirmed()
    assert not LogInAttempts.objects.exists()


def test_a_password_of_spaces_and_signs_is_taken_as_it_is(settings):
    password = '  horse <&> "battery" ü  '
    user = operations.register_user(email="ann@example.org", password=password)
    assert confirm(f"/users/confirm/{confirmation_token(user)}/", password).status_code == 200


def test_the_stranger_who_registered_with_an_address_does_not_get_it_confirmed_by_its_owner(mail, drain, mailoutbox):
    """The owner presses the button, and then registers, too."""
    confirm(link_in(mail), "")
    client_of().post("/api/v1/users/", CREDENTIALS | {"password": "the password of the owner"})
    drain()
    assert "ask the shop" in confirm(link_in(mailoutbox[-1]), "the password of the owner").content.decode()
    assert_problem(client_of().post(TOKENS, CREDENTIALS), 401)


def test_repeating_it_needs_the_password_again(mail):
    assert confirm_in_api(token_in(mail)).status_code == 204
    assert_problem(confirm_in_api(token_in(mail), "wrong"), 400, "password")
    assert confirm_in_api(token_in(mail)).status_code == 204


def test_an_account_that_is_gone_gets_the_answer_of_a_bad_token(mail):
    gone, bad = token_in(mail), "nonsense"
    User.objects.all().delete()
    answers = [assert_problem(confirm_in_api(token), 400, "token") for token in (gone, bad)]
    assert answers[0] == answers[1]
    pages = [confirm(f"/users/confirm/{token}/") for token in (gone, bad)]
    assert pages[0].content == pages[1].content
    assert not LogInAttempts.objects.exists(), "there is no account to count for"


def test_an_account_without_a_password_is_confirmed_by_the_shop_alone():
    user = new_user(email_confirmed_at=None)
    token = confirmation_token(user)
    problem = assert_problem(confirm_in_api(token), 400, "password")
    assert problem["errors"][0]["code"] == "no_password"
    assert "Ask the shop" in problem["errors"][0]["detail"]
    page = confirm(f"/users/confirm/{token}/")
    assert page.status_code == 400
    assert "Ask the shop" in page.content.decode()
    assert "<form" not in page.content.decode()
    assert not is_confirmed()
    root = Client()
    root.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    root.post("/admin/users/user/", {"action": "mark_addresses_confirmed", "_selected_action": [str(user.pk)]})
    assert User.objects.get(pk=user.pk).email_confirmed_at is not None


def test_wrong_passwords_count_as_failed_log_ins_of_the_account(mail):
    for _ in range(5):
        assert_problem(confirm_in_api(token_in(mail), "wrong"), 400, "password")
        assert confirm(link_in(mail), "wrong").status_code == 400
    answer = confirm_in_api(token_in(mail))
    assert_problem(answer, 429)
    assert 50 < int(answer["Retry-After"]) <= 60
    page = confirm(link_in(mail))
    assert page.status_code == 429
    assert 50 < int(page["Retry-After"]) <= 60
    assert "Too many failed log-ins to this account or from this address. Try again in" in page.content.decode()
    assert_problem(client_of().post(TOKENS, CREDENTIALS), 429)
    assert not is_confirmed()
    attempts.unlock(User.objects.get(email="ann@example.org"))
    assert confirm(link_in(mail)).status_code == 200


def test_failed_log_ins_count_for_the_link(mail):
    for _ in range(10):
        assert_problem(client_of().post(TOKENS, CREDENTIALS), 401)
    assert_problem(confirm_in_api(token_in(mail)), 429)
    assert confirm(link_in(mail)).status_code == 429


def test_wrong_passwords_count_for_the_address_of_the_client(mail):
    others = [User.objects.create_user(f"{number}@example.org", PASSWORD) for number in range(5)]
    tokens = [confirmation_token(user) for user in others]
    for token in tokens * 10:
        assert_problem(confirm_in_api(token, "wrong", REMOTE_ADDR="192.0.2.7"), 400, "password")
    assert_problem(confirm_in_api(token_in(mail), REMOTE_ADDR="192.0.2.7"), 429)
    assert confirm(link_in(mail), REMOTE_ADDR="192.0.2.7").status_code == 429
    assert confirm(link_in(mail), REMOTE_ADDR="192.0.2.8").status_code == 200


def test_the_right_password_takes_its_own_count_back(mail):
    for _ in range(9):
        confirm(link_in(mail), "wrong")
    assert confirm(link_in(mail)).status_code == 200
    assert sorted(LogInAttempts.objects.values_list("failures", flat=True)) == [0, 9]


def test_it_is_counted_before_the_password_is_checked(mail, monkeypatch):
    counted: list[int] = []

    def check(*_: object) -> bool:
        counted.extend(LogInAttempts.objects.values_list("failures", flat=True))
        return False

    monkeypatch.setattr(hashers.Argon2, "verify", check)
    confirm(link_in(mail))
    assert counted == [1, 1]


def test_while_too_many_passwords_are_checked_the_answer_is_503_and_nothing_is_counted(mail, monkeypatch):
    monkeypatch.setattr(hashers, "MAX_WAIT_S", 0.01)
    for _ in range(hashers.PARALLEL):
        assert hashers.slots.acquire(timeout=5)
    try:
        answer, page = confirm_in_api(token_in(mail)), confirm(link_in(mail))
    finally:
        for _ in range(hashers.PARALLEL):
            hashers.slots.release()
    assert_problem(answer, 503)
    assert page.status_code == 503
    assert page["Retry-After"] == answer["Retry-After"]
    assert "Too many passwords are being checked. Try again in" in page.content.decode()
    assert set(LogInAttempts.objects.values_list("failures", flat=True)) == {0}
    assert not is_confirmed()


def test_an_address_may_send_the_page_as_often_as_it_may_log_in(mail, monkeypatch):
    monkeypatch.setattr(AddressThrottle, "RATES", {"login": 2})
    assert [confirm(link_in(mail), "wrong").status_code for _ in range(3)] == [400, 400, 429]
    page = confirm(link_in(mail))
    assert "Too many log-ins from this address. Try again in" in page.content.decode()
    assert 0 < int(page["Retry-After"]) <= 60
    assert_problem(confirm_in_api(token_in(mail)), 429)
    assert confirm(link_in(mail), REMOTE_ADDR="192.0.2.7").status_code == 200


def test_an_address_that_changes_while_the_password_is_checked_is_not_confirmed(mail, monkeypatch):
    def change(user: User, *_: object, **__: object) -> bool:
        User.objects.filter(pk=user.pk).update(email="new@example.org")
        return True

    monkeypatch.setattr(confirmation, "is_password_of", change)
    assert_problem(confirm_in_api(token_in(mail)), 400, "token")
    assert not is_confirmed()


def test_confirming_logs_nobody_in_and_an_inactive_account_stays_so(mail):
    User.objects.update(is_active=False)
    page = confirm(link_in(mail))
    assert page.status_code == 200
    assert "sessionid" not in " ".join(page.cookies)
    assert is_confirmed()
    assert_problem(client_of().post(TOKENS, CREDENTIALS), 401)


@pytest.mark.parametrize("origin", ["https://evil.example.org", "null", None])
def test_another_site_cannot_send_the_form_in_somebodys_browser(mail, origin):
    browser = Client(enforce_csrf_checks=True)
    browser.get(link_in(mail), secure=True)
    headers = {"Origin": origin} if origin else {}
    forged = browser.post(link_in(mail), {"password": "wrong"}, secure=True, headers=headers)
    assert forged.status_code == 403
    assert not LogInAttempts.objects.exists()


def test_the_form_works_with_the_checks_of_a_browser(mail):
    browser = Client(enforce_csrf_checks=True)
    page = browser.get(link_in(mail), secure=True).content.decode()
    (token,) = re.findall('name="csrfmiddlewaretoken" value="([^"]+)"', page)
    form = {"password": PASSWORD, "csrfmiddlewaretoken": token}
    answer = browser.post(link_in(mail), form, secure=True, headers={"Origin": "https://testserver"})
    assert answer.status_code == 200
    assert is_confirmed()


@pytest.mark.parametrize("password", ["canary-password", PASSWORD])
def test_the_password_is_not_in_the_log(mail, caplog, password):
    confirm(link_in(mail), password)
    confirm_in_api(token_in(mail), password)
    assert password not in caplog.text
