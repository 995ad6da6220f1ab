"""Accounts from before addresses were confirmed and normalised."""

import pytest
from django.core.management import call_command
from django.db.models import CharField, F, Value
from django.utils import timezone

from tests.migrations.helpers import REPLACED, migrate_replaced
from users.models import User

#: Each address as it was stored, and as it is stored now.
STORED = {
    "ann@example.org": "ann@example.org",
    '"quoted"@example.org': '"quoted"@example.org',
    "bob@xn--mller-kva.example": "bob@müller.example",
    "eve@ｅxample.org": "eve@example.org",  # noqa: RUF001 - a full-width letter
    "taken@example.net": "taken@example.net",
    "taken@ｅxample.net": "taken@ｅxample.net",  # noqa: RUF001 - a full-width letter
    "joe@exa\u0308mple.org": "joe@exämple.org",
    "änn@example.org": "änn@example.org",
}


@pytest.mark.usefixtures("empty")
def test_old_accounts_are_confirmed_and_their_addresses_are_normalised_where_that_is_free():
    old = migrate_replaced(REPLACED).get_model("users", "User")
    now = timezone.now()
    for number, email in enumerate(STORED):
        user = old.objects.create(email=f"user{number}@example.org", password="!", date_joined=now)
        # An expression, because the field of today normalises values.
        old.objects.filter(pk=user.pk).update(email=Value(email, output_field=CharField()))
    call_command("migrate", verbosity=0)
    assert sorted(User.objects.values_list("email", flat=True)) == sorted(STORED.values())
    assert User.objects.filter(email_confirmed_at=F("date_joined")).count() == len(STORED)
    for before, after in STORED.items():
        assert User.objects.get_by_natural_key(before).email == after
