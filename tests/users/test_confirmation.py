"""An address gets one fixed mail until its owner confirms it, and its account cannot log in before."""

import logging
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core import signing
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from project.bus import publish
from project.events import OrderCancelled, OrderConfirmed, OrderRejected
from tests.api.clients import assert_problem, client_of, new_user
from tests.users.confirming import PASSWORD, confirm, link_in, token_in
from users import confirmation, operations
from users.confirmation import confirmation_token
from users.models import User

pytestmark = pytest.mark.django_db
CREDENTIALS = {"email": "ann@example.org", "password": PASSWORD}
TOKENS = "/api/v1/auth/token/"
REGISTRATION = {**CREDENTIALS, "name": "Canary Name"}


@pytest.fixture
def ann(settings, drain, mailoutbox) -> User:
    """A user who has registered over HTTP, where addresses are confirmed, and has not confirmed hers."""
    settings.CONFIRM_EMAIL = True
    assert client_of().post("/api/v1/users/", REGISTRATION).status_code == 201
    drain()
    return User.objects.get()


def orders_of(user: User) -> None:
    """Publish each outcome of an order that is mailed."""
    with transaction.atomic():
        publish(
            OrderConfirmed(order_id=uuid4(), customer_id=user.pk),
            OrderRejected(order_id=uuid4(), customer_id=user.pk, reason="short"),
            OrderCancelled(order_id=uuid4(), customer_id=user.pk, reason="no"),
        )


def test_new_address_gets_one_fixed_mail_with_a_link_and_no_name(ann, mailoutbox):
    (mail,) = mailoutbox
    assert mail.to == ["ann@example.org"]
    assert link_in(mail)
    assert "Canary" not in str(mail.message())
    assert "ann@example.org" not in signing.b64_decode(token_in(mail).split(":")[0].encode()).decode()


def test_link_begins_with_site_url_and_never_with_the_host_of_a_request(settings, drain, mailoutbox):
    settings.SITE_URL = "https://shop.example.org"
    client_of().post("/api/v1/users/", REGISTRATION, headers={"Host": "localhost"})
    drain()
    assert "https://shop.example.org/users/confirm/" in mailoutbox[0].body
    assert "localhost" not in mailoutbox[0].body


def test_unconfirmed_address_gets_no_other_mail_and_the_log_says_so_without_it(ann, drain, mailoutbox, caplog):
    caplog.set_level(logging.INFO)
    orders_of(ann)
    drain()
    assert len(mailoutbox) == 1
    assert caplog.text.count(f"user {ann.pk} gets no mail: the address is not confirmed") == 3
    assert ann.email not in caplog.text
    assert "Canary" not in caplog.text


def test_confirmed_address_gets_mails_about_orders(ann, drain, mailoutbox):
    confirm(link_in(mailoutbox[0]))
    orders_of(ann)
    drain()
    assert len(mailoutbox) == 4


def test_opening_the_link_asks_for_the_password_and_confirms_nothing(ann, mailoutbox):
    page = Client().get(link_in(mailoutbox[0]))
    assert page.status_code == 200
    assert '<form method="post">' in page.content.decode()
    assert "<script" not in page.content.decode()
    assert "style=" not in page.content.decode()
    assert 'autocomplete="current-password"' in page.content.decode()
    assert "If you did not register, close this page and do nothing." in page.content.decode()
    assert page["Referrer-Policy"] == "same-origin"
    assert "no-store" in page["Cache-Control"]
    assert User.objects.get().email_confirmed_at is None


def test_password_confirms_the_address_and_repeating_it_changes_nothing(ann, mailoutbox):
    page = confirm(link_in(mailoutbox[0]))
    assert page.status_code == 200
    assert "Your address is confirmed" in page.content.decode()
    confirmed_at = User.objects.get().email_confirmed_at
    assert confirmed_at is not None
    assert confirm(link_in(mailoutbox[0])).status_code == 200
    assert User.objects.get().email_confirmed_at == confirmed_at


def test_api_confirms_the_address_by_token_and_password(ann, mailoutbox):
    body = {"token": token_in(mailoutbox[0]), "password": PASSWORD}
    assert client_of().post("/api/v1/users/confirm/", body).status_code == 204
    assert client_of().post(TOKENS, CREDENTIALS).status_code == 200


def signed(content: object, *, key: str | None = None, salt: str = confirmation.SALT) -> str:
    return signing.dumps(content, key=key, salt=salt)


BAD_TOKENS = {
    "nonsense": lambda user: "x",
    "of-other-parts": lambda user: "a:b:c",
    "not-in-ASCII": lambda user: "ä:ö:ü",
    "changed": lambda user: confirmation_token(user)[:-1] + "!",
    "signed-with-another-key": lambda user: signed({"id": str(user.pk), "address": "x"}, key="another key"),
    "signed-for-another-purpose": lambda user: signed({"id": str(user.pk), "address": "x"}, salt="password reset"),
    "for-another-address": lambda user: confirmation_token(User(pk=user.pk, email="bob@example.org")),
    "for-another-account": lambda user: confirmation_token(User(email=user.email)),
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_token_that_is_not_for_this_account_and_address_is_refused(kind, ann):
    token = BAD_TOKENS[kind](ann)
    body = {"token": token, "password": PASSWORD}
    assert_problem(client_of().post("/api/v1/users/confirm/", body), 400, "token")
    page = confirm(f"/users/confirm/{token}/")
    assert page.status_code == 400
    assert "not valid" in page.content.decode()
    assert User.objects.get().email_confirmed_at is None


def test_link_expires_after_three_days(ann, mailoutbox, monkeypatch):
    now = time.time()
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + timedelta(days=3, seconds=10).total_seconds())
    assert confirm(link_in(mailoutbox[0])).status_code == 400
    monkeypatch.setattr("django.core.signing.time.time", lambda: now + timedelta(days=2, hours=23).total_seconds())
    assert confirm(link_in(mailoutbox[0])).status_code == 200


def test_link_works_while_an_older_secret_key_is_accepted(ann, settings, mailoutbox):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-key-that-only-this-test-uses-and-that-is-long-enough"
    assert confirm(link_in(mailoutbox[0])).status_code == 200


def test_unconfirmed_account_gets_the_answer_of_a_wrong_password_until_it_is_confirmed(ann, mailoutbox):
    answers = [
        assert_problem(client_of().post(TOKENS, credentials), 401)
        for credentials in (
            CREDENTIALS,
            CREDENTIALS | {"password": "wrong"},
            CREDENTIALS | {"email": "nobody@example.org"},
            CREDENTIALS | {"email": '"quoted\\\x01"@example.org'},
            CREDENTIALS | {"email": "ann@exa mple"},
        )
    ]
    assert all(answer == answers[0] for answer in answers)
    assert "confirm" in answers[0]["detail"]
    confirm(link_in(mailoutbox[0]))
    assert client_of().post(TOKENS, CREDENTIALS).status_code == 200


def test_token_of_an_account_whose_address_is_no_longer_confirmed_is_not_refreshed(settings):
    settings.CONFIRM_EMAIL = True
    user = operations.register_user(email="ann@example.org", password=PASSWORD, confirmed=True)
    refresh = client_of().post(TOKENS, CREDENTIALS).json()["refresh"]
    # Each refresh token can be used once.
    refresh = client_of().post("/api/v1/auth/token/refresh/", {"refresh": refresh}).json()["refresh"]
    # By SQL: save() ends the sessions itself.
    User.objects.filter(pk=user.pk).update(email_confirmed_at=None)
    assert_problem(client_of().post("/api/v1/auth/token/refresh/", {"refresh": refresh}), 401)


def test_unconfirmed_staff_cannot_log_in_to_the_admin_and_a_session_ends(settings):
    settings.CONFIRM_EMAIL = True
    operations.register_user(email="ann@example.org", password=PASSWORD)
    User.objects.update(is_staff=True)
    login = {"username": "Ann@example.org", "password": PASSWORD}
    client = Client()
    refused = client.post("/admin/login/", login)
    wrong = client.post("/admin/login/", login | {"password": "wrong"})
    errors = [list(page.context["form"].non_field_errors()) for page in (refused, wrong)]
    assert errors[0] == errors[1] != []
    User.objects.update(email_confirmed_at=timezone.now())
    assert client.post("/admin/login/", login).status_code == 302
    assert client.get("/admin/").status_code == 200
    User.objects.update(email_confirmed_at=None)
    assert client.get("/admin/").status_code == 302


def test_account_logs_in_at_once_where_addresses_are_not_confirmed():
    client_of().post("/api/v1/users/", REGISTRATION)
    assert client_of().post(TOKENS, CREDENTIALS).status_code == 200


def test_asking_for_the_mail_again_tells_nothing_and_sends_it_only_if_it_is_due(ann, drain, mailoutbox):
    new_user(email="bob@example.org")
    drain()
    mailoutbox.clear()
    answers = [
        client_of().post("/api/v1/users/confirm/resend/", {"email": email})
        for email in (" ANN@example.org", "bob@example.org", "nobody@example.org", "no address")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, b"")}
    drain()
    (mail,) = mailoutbox
    assert mail.to == [ann.email]
    assert confirm(link_in(mail)).status_code == 200


def test_asking_again_runs_the_same_statements_for_every_address(ann):
    statements = []
    for email in ("ann@example.org", "nobody@example.org"):
        with CaptureQueriesContext(connection) as queries:
            client_of().post("/api/v1/users/confirm/resend/", {"email": email})
        statements.append(len(queries))
    assert statements[0] == statements[1]


def test_operators_vouch_for_the_accounts_that_they_import():
    operations.register_customers(names={"ann@example.org": "Ann"})
    assert User.objects.get().email_confirmed_at is not None


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    return client


def test_changing_the_address_in_the_admin_asks_the_new_one_to_confirm_it(root, drain, mailoutbox):
    user = operations.register_user(email="ann@example.org", password=PASSWORD, confirmed=True)
    drain()
    mailoutbox.clear()
    old = confirmation_token(user)
    path = f"/admin/users/user/{user.pk}/change/"
    form = {"email": "New@example.org", "name": "Ann", "is_active": "on"}
    assert root.post(path, form).status_code == 302
    drain()
    (mail,) = mailoutbox
    assert mail.to == ["new@example.org"]
    assert User.objects.get(pk=user.pk).email_confirmed_at is None
    assert confirm(f"/users/confirm/{old}/").status_code == 400
    assert confirm(link_in(mail)).status_code == 200
    assert root.post(path, form | {"email": " NEW@example.org", "name": "Anna"}).status_code == 302
    assert User.objects.get(pk=user.pk).email_confirmed_at is not None, "another spelling is no other address"
    assert "Address confirmed" in root.get(path).content.decode()


def test_saving_the_address_alone_takes_its_confirmation_away(published):
    user = new_user()
    user.email = "new@example.org"
    user.save(update_fields=["email"])
    assert User.objects.get().email_confirmed_at is None
    assert [type(event).__name__ for event in published()] == ["UserCreated", "ConfirmationRequested"]


def test_only_superusers_mark_an_address_as_confirmed(root):
    user = operations.register_user(email="ann@example.org", password=PASSWORD)
    chosen = {"action": "mark_addresses_confirmed", "_selected_action": [str(user.pk)]}
    clerk = User.objects.create_user("clerk@example.org", PASSWORD, is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(content_type__app_label="users"))
    client = Client()
    client.force_login(clerk)
    client.post("/admin/users/user/", chosen)
    assert User.objects.get(pk=user.pk).email_confirmed_at is None
    assert "Mark address as confirmed" not in client.get("/admin/users/user/").content.decode()
    answer = root.post("/admin/users/user/", chosen, follow=True)
    assert "Addresses marked as confirmed: 1." in answer.content.decode()
    assert User.objects.get(pk=user.pk).email_confirmed_at is not None
