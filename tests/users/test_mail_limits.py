"""How many mails one mailbox gets a day."""

import logging
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from uuid import uuid4

import pytest
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from project.bus import publish
from project.bus.models import Delivery
from project.events import OrderConfirmed
from tests.api.clients import client_of, new_user
from tests.bus.helpers import make_due
from tests.threads import at_once
from users.addresses import parse_address
from users.mails import _count
from users.models import MailCount, User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def register(email: str) -> None:
    assert client_of().post("/api/v1/users/", {"email": email, "password": PASSWORD}).status_code == 201


def confirm_orders(user: User, number: int) -> None:
    with transaction.atomic():
        publish(*(OrderConfirmed(order_id=uuid4(), customer_id=user.pk) for _ in range(number)))


@pytest.mark.parametrize(
    "emails",
    [
        ["ann@example.org"] * 5,
        [f"ann+{number}@example.org" for number in range(5)],
        ["ann@example.org", "ANN+a@example.org", "ann+b+c@EXAMPLE.org", "ann+b@example.org", " ann+@example.org"],
        ["ann@müller.example", "ann+1@xn--mller-kva.example", "ann+2@MÜLLER.example", "ann+3@mu\u0308ller.example"],
    ],
)
def test_strangers_cause_three_mails_a_day_to_one_mailbox(emails, drain, mailoutbox, caplog):
    caplog.set_level(logging.WARNING)
    for email in emails:
        register(email)
    drain()
    assert len(mailoutbox) == 3
    row = MailCount.objects.get()
    assert (row.sent, row.suppressed) == (3, len(emails) - 3)
    assert "ann" not in row.recipient
    assert str(row) == f"{row.day}: 3 sent, {len(emails) - 3} suppressed"
    assert caplog.text.count("the mailbox has reached its limit of this day") == len(emails) - 3
    assert "ann@" not in caplog.text
    assert not Delivery.objects.filter(handler__startswith="users.").exists()


def test_mailboxes_are_counted_apart_and_so_are_days(drain, mailoutbox):
    for _ in range(4):
        register("ann@example.org")
    register("bob@example.org")
    drain()
    assert len(mailoutbox) == 4
    MailCount.objects.update(day=timezone.now().date() - timedelta(days=1))
    register("ann@example.org")
    drain()
    assert len(mailoutbox) == 5


def test_confirmed_address_gets_as_many_mails_a_day_as_the_setting_says(settings, drain, mailoutbox):
    settings.MAX_MAILS_PER_DAY = 5
    user = new_user()
    confirm_orders(user, 10)
    drain()
    assert len(mailoutbox) == 5
    assert MailCount.objects.get().suppressed == 6  # and the welcome


def test_repeated_registrations_leave_most_of_the_limit_to_the_owner(settings, drain, mailoutbox):
    settings.MAX_MAILS_PER_DAY = 10
    user = new_user()
    drain()
    for _ in range(20):
        register(user.email)
    drain()
    assert len(mailoutbox) == 3
    confirm_orders(user, 5)
    drain()
    assert len(mailoutbox) == 8


def test_mail_that_is_tried_again_counts_once(drain, mailoutbox, monkeypatch):
    def fail(message: EmailMessage) -> None:
        raise SMTPServerDisconnected("later")

    with monkeypatch.context() as patch:
        patch.setattr(EmailMessage, "send", fail)
        register("ann@example.org")
        drain()
        for _ in range(3):
            make_due()
            drain()
    assert MailCount.objects.get().sent == 0
    make_due()
    drain()
    assert MailCount.objects.get().sent == len(mailoutbox) == 1


def test_counts_of_a_mailbox_are_forgotten_after_a_month(drain):
    register("ann@example.org")
    drain()
    (row,) = MailCount.objects.all()
    for days in (29, 31):
        MailCount.objects.create(recipient=row.recipient, day=row.day - timedelta(days=days))
    MailCount.objects.filter(pk=row.pk).delete()
    register("ann@example.org")
    drain()
    ages = sorted((row.day - day).days for day in MailCount.objects.values_list("day", flat=True))
    assert ages == [0, 29]


@pytest.mark.django_db(transaction=True)
def test_workers_that_count_at_once_never_pass_the_limit():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    address = parse_address("ann@example.org")
    counted = at_once(*[lambda: _count(address, limit=3)] * 8)
    assert sum(count is not None for count in counted) == 3
    row = MailCount.objects.get()
    assert (row.sent, row.suppressed) == (3, 5)


def test_counts_are_shown_in_the_admin_and_cannot_be_changed(drain):
    register("ann@example.org")
    drain()
    client = Client()
    client.force_login(User.objects.create_superuser("root@example.org", PASSWORD))
    row = MailCount.objects.get()
    page = client.get("/admin/users/mailcount/").content.decode()
    assert row.recipient[:12] in page
    assert row.recipient not in page, "it would run out of the page of a phone"
    assert client.get(f"/admin/users/mailcount/{row.pk}/change/").status_code == 200
    assert client.post(f"/admin/users/mailcount/{row.pk}/change/", {"sent": 0}).status_code == 403
    assert client.get("/admin/users/mailcount/add/").status_code == 403
