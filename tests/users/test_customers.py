"""Registering many accounts at once."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from project.events import UserCreated
from users import operations
from users.models import User
from users.operations import InvalidUser

pytestmark = pytest.mark.django_db


def test_only_missing_accounts_are_created_and_each_is_announced_once(published):
    ann = operations.register_user(email="ann@example.org", password=None, name="Ann")

    accounts = operations.register_customers(names={"bob@example.org": "Bob", "ann@example.org": "Else"})

    assert accounts["ann@example.org"] == ann
    assert [user.name for user in User.objects.order_by("email")] == ["Ann", "Bob"]
    assert [event.user_id for event in published(UserCreated)] == [ann.pk, accounts["bob@example.org"].pk]
    assert not User.objects.get(email="bob@example.org").has_usable_password()


def test_repeated_registration_changes_nothing(published):
    names = {"ann@example.org": "Ann", "bob@example.org": "Bob"}
    assert operations.register_customers(names=names) == operations.register_customers(names=names)
    assert User.objects.count() == len(published()) == 2


def test_account_registered_concurrently_is_kept_and_announced_once(published, monkeypatch):
    insert = User.objects.bulk_create

    def insert_after_a_concurrent_registration(*arguments, **options):
        operations.register_user(email="ann@example.org", password=None, name="Faster")
        return insert(*arguments, **options)

    monkeypatch.setattr(User.objects, "bulk_create", insert_after_a_concurrent_registration)
    accounts = operations.register_customers(names={"ann@example.org": "Ann"})
    assert accounts["ann@example.org"].name == "Faster"
    assert [event.user_id for event in published(UserCreated)] == [User.objects.get().pk]


def test_one_invalid_address_or_name_refuses_all(published):
    for names in ({"ann@example.org": "Ann", "bob": "Bob"}, {"ann@example.org": "Ann", "bob@example.org": "B" * 151}):
        with pytest.raises(InvalidUser):
            operations.register_customers(names=names)
    assert not User.objects.exists()
    assert published() == []


def test_fifty_accounts_take_the_statements_of_one():
    statements = []
    for first, last in ((0, 1), (1, 51)):
        with CaptureQueriesContext(connection) as queries:
            operations.register_customers(names={f"c{number}@example.org": "" for number in range(first, last)})
        statements.append(len(queries))
    assert User.objects.count() == 51
    assert statements[0] == statements[1]
