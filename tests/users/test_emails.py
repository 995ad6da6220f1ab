"""What people are told by e-mail."""

import logging
from functools import partial
from smtplib import SMTPDataError, SMTPRecipientsRefused
from typing import Never
from uuid import UUID, uuid4

import pytest
from django.core.mail import EmailMessage
from django.db import transaction

from project.bus.models import Delivery, Failure, Receipt
from project.bus.outbox import publish
from project.events import OrderCancelled, OrderConfirmed, OrderRejected
from tests.api.clients import new_user
from users.models import User

pytestmark = pytest.mark.django_db


def tell(*events) -> None:
    with transaction.atomic():
        publish(*events)


@pytest.fixture
def ann(drain, mailoutbox) -> User:
    """Somebody whose welcome is over."""
    user = new_user()
    drain()
    mailoutbox.clear()
    return user


def test_a_new_user_is_welcomed(drain, mailoutbox):
    user = new_user()
    drain()
    (mail,) = mailoutbox
    assert mail.to == [user.email]
    assert "Ann" in mail.body


ORDER = uuid4()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (partial(OrderConfirmed), "confirmed"),
        (partial(OrderRejected, reason="TEA-1 is short."), "TEA-1 is short."),
        (partial(OrderCancelled, reason="Changed my mind."), "Changed my mind."),
    ],
)
def test_the_outcome_of_an_order_is_told_once(ann, outcome, words, drain, mailoutbox):
    tell(outcome(order_id=ORDER, customer_id=ann.pk))
    drain()
    (mail,) = mailoutbox
    assert mail.to == [ann.email]
    assert str(ORDER) in mail.body
    assert words in mail.body


def test_the_message_id_is_derived_from_the_delivery(ann, settings, drain, mailoutbox):
    settings.DEFAULT_FROM_EMAIL = "Orderly <shop@shop.example>"
    event = OrderConfirmed(order_id=ORDER, customer_id=ann.pk)
    tell(event)
    drain()
    receipt = Receipt.objects.get(event_id=event.id, handler="users.email_confirmation")
    (mail,) = mailoutbox
    assert mail.message()["Message-ID"] == f"<{receipt.event_id}-{receipt.delivery_id}@shop.example>"


def test_a_user_who_is_gone_is_told_nothing(drain, mailoutbox):
    tell(OrderConfirmed(order_id=ORDER, customer_id=uuid4()))
    drain()
    assert mailoutbox == []
    assert not Delivery.objects.exists()


def test_no_address_is_logged_or_stored_when_the_mail_server_refuses_it(ann, drain, caplog, monkeypatch):
    def refuse(message: EmailMessage) -> Never:
        raise SMTPRecipientsRefused({message.to[0]: (550, f"{message.to[0]} unknown".encode())})

    monkeypatch.setattr(EmailMessage, "send", refuse)
    caplog.set_level(logging.DEBUG)
    tell(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
    drain()
    failures = Failure.objects.all()  # the first retry may be due at once
    assert failures
    for failure in failures:
        assert "550" in failure.error
        assert str(ann.pk) in failure.error
        assert ann.email not in failure.error + failure.traceback
    assert ann.email not in caplog.text
    assert Delivery.objects.filter(handler="users.email_confirmation", dead_at=None).exists(), "it is tried again"


def test_no_address_is_stored_when_the_mail_server_repeats_it_in_its_answer(ann, drain, monkeypatch):
    def refuse(message: EmailMessage) -> Never:
        raise SMTPDataError(554, f"<{message.to[0]}> rejected".encode())

    monkeypatch.setattr(EmailMessage, "send", refuse)
    tell(OrderConfirmed(order_id=ORDER, customer_id=ann.pk))
    drain()
    failure = Failure.objects.latest("id")
    assert "SMTP 554" in failure.error
    assert ann.email not in failure.error + failure.traceback


def test_events_carry_ids_only(published):
    user = new_user()
    (event,) = published()
    assert event.data_fields == ("user_id",)
    assert isinstance(event.user_id, UUID)
    assert event.user_id == user.pk
