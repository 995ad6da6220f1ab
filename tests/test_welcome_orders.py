"""A welcome order waits for the confirmation of the address, so that strangers hold no stock."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client

from inventory import operations as inventory
from inventory.models import Stock
from orders.models import Order
from project.bus import publish
from project.events import AddressConfirmed, UserCreated
from tests.api.clients import client_of, new_user
from tests.users.confirming import PASSWORD, confirm, link_in
from users import confirmation
from users import operations as users
from users.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _shop(settings, drain):
    settings.WELCOME_SKU, settings.CONFIRM_EMAIL = "CUP", True
    inventory.add_product(sku="CUP", name="Cup", price=Decimal("2.00"))
    inventory.add_location(code="MAIN", name="Main")
    inventory.receive_stock(sku="CUP", location="MAIN", quantity=50, reason="first delivery")
    drain()


def register(email: str = "ann@example.org") -> User:
    assert client_of().post("/api/v1/users/", {"email": email, "password": PASSWORD}).status_code == 201
    return User.objects.get(email=email)


def by_page(user: User) -> None:
    assert confirm(f"/users/confirm/{confirmation.confirmation_token(user)}/").status_code == 200


def by_api(user: User) -> None:
    body = {"token": confirmation.confirmation_token(user), "password": PASSWORD}
    assert client_of().post("/api/v1/users/confirm/", body).status_code == 204


def by_superuser(user: User) -> None:
    client = Client()
    client.force_login(new_user(is_staff=True, is_superuser=True))
    form = {"action": "mark_addresses_confirmed", "_selected_action": [str(user.pk)]}
    assert client.post("/admin/users/user/", form).status_code == 302


def reserved() -> int:
    return Stock.objects.get().reserved


def test_registrations_that_nobody_confirms_hold_no_stock(drain, published):
    for number in range(20):
        register(f"{number}@example.org")
    drain()
    assert not Order.objects.exists()
    assert reserved() == 0
    assert [event.confirmed for event in published(UserCreated)] == [False] * 20


@pytest.mark.parametrize("way", [by_page, by_api, by_superuser])
def test_each_way_to_confirm_an_address_opens_one_welcome_order_however_often_it_is_taken(way, drain, published):
    user = register()
    drain()
    for _ in range(3):
        way(user)
        drain()
    order = Order.objects.get(customer_id=user.pk)
    assert (order.is_welcome, order.status) == (True, "confirmed")
    (event,) = published(AddressConfirmed)
    assert event.user_id == user.pk
    assert order.changes.get(sequence=1).event_id == event.id


def test_a_confirmation_that_is_handled_before_the_registration_opens_one_order(drain):
    user = register()
    by_api(user)
    with transaction.atomic():
        publish(AddressConfirmed(user_id=user.pk), UserCreated(user_id=user.pk, confirmed=False))
    drain()
    with transaction.atomic():
        publish(UserCreated(user_id=user.pk), AddressConfirmed(user_id=user.pk))
    drain()
    assert Order.objects.get().customer_id == user.pk
    assert reserved() == 1


@pytest.mark.parametrize("way", [by_page, by_superuser])
def test_an_address_is_confirmed_and_announced_in_one_transaction(way, monkeypatch):
    user = register()

    def crash(*events):
        raise RuntimeError

    monkeypatch.setattr(confirmation, "publish", crash)
    with pytest.raises(RuntimeError):
        way(user)
    assert User.objects.get(pk=user.pk).email_confirmed_at is None


def test_an_address_that_was_changed_brings_no_second_order(drain, mailoutbox, published):
    user = register()
    drain()
    confirm(link_in(mailoutbox[0]))
    drain()
    user.refresh_from_db()
    user.email = "anna@example.org"
    user.save()
    by_api(user)
    drain()
    assert len(published(AddressConfirmed)) == 2
    assert Order.objects.filter(customer_id=user.pk).count() == 1


def without_password() -> Any:
    return users.register_customers(names={"ann@example.org": "Ann"})["ann@example.org"]


def confirmed() -> User:
    return users.register_user(email="ann@example.org", password=PASSWORD, confirmed=True)


@pytest.mark.parametrize("create", [without_password, confirmed])
def test_an_account_whose_address_somebody_vouches_for_gets_its_order_at_once(create, drain, published):
    user = create()
    drain()
    assert Order.objects.get().customer_id == user.pk
    assert [event.confirmed for event in published(UserCreated)] == [True]


def test_an_event_of_a_release_before_opens_the_order_as_it_did(drain):
    user = register()
    with transaction.atomic():
        publish(UserCreated(user_id=user.pk))
    drain()
    assert Order.objects.get().customer_id == user.pk


def test_without_confirm_email_a_registration_opens_the_order_at_once_and_a_confirmation_no_other(settings, drain):
    settings.CONFIRM_EMAIL = False
    user = register()
    drain()
    assert Order.objects.get().customer_id == user.pk
    by_api(user)
    drain()
    assert Order.objects.get().customer_id == user.pk
    assert reserved() == 1
