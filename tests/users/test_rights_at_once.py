"""Superusers who take each other's rights at the same moment: one of them keeps theirs."""

from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from project.audit.actors import request_in_hand
from tests.api.clients import new_user
from tests.threads import at_once
from users.admin import UserAdmin
from users.models import User

pytestmark = pytest.mark.django_db(transaction=True)

#: What each form posts about the other. Browsers do not send unchecked boxes.
LOSSES = {"superuser status": {"is_active": "on", "is_staff": "on"}, "the account": {"is_superuser": "on"}, "all": {}}


def take(actor: User, *others: User, loss: dict[str, str]) -> set[int]:
    client = Client()
    client.force_login(actor)
    paths = [f"/admin/users/user/{other.pk}/change/" for other in others]
    return {client.post(path, {"email": f"new-{actor.pk}@example.org", **loss}).status_code for path in paths}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=[name.replace(" ", "_") for name in LOSSES])
@pytest.mark.parametrize("number", [2, 3])
def test_superusers_who_take_each_others_rights_leave_one(monkeypatch, loss, number):
    roots = [new_user(is_staff=True, is_superuser=True) for _ in range(number)]
    nobody_has_begun = Barrier(number)
    shown = UserAdmin.changeform_view

    def together(page: UserAdmin, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Begin the transactions only when all requests have loaded their accounts."""
        nobody_has_begun.wait(timeout=60)
        return shown(page, request, *args, **kwargs)

    monkeypatch.setattr(UserAdmin, "changeform_view", together)
    # Each takes the rights of the next.
    pairs = zip(roots, [*roots[1:], roots[0]], strict=True)
    statuses = at_once(*(partial(take, actor, other, loss=loss) for actor, other in pairs))
    assert User.objects.filter(is_superuser=True, is_active=True).exists()
    assert set().union(*statuses) == {302, 403}


def lose(user: User, name: str) -> None:
    User.objects.filter(pk=user.pk).update(**{name: False})


#: What a superuser may do to others as long as they are one.
CHANGES = {
    "rights": lambda other: User.objects.filter(pk=other.pk).update(is_superuser=False),
    "the account": lambda other: User.objects.filter(pk=other.pk).update(is_active=False),
    "the password": lambda other: (other.set_password("another good one"), other.save()),
    "the address": lambda other: User.objects.filter(pk=other.pk).update(email="eve@example.org"),
    "groups": lambda other: other.groups.add(Group.objects.get(name="auditor")),
    "a group": lambda _: Group.objects.get(name="auditor").permissions.clear(),
    "a new superuser": lambda _: User.objects.create_superuser("eve@example.org"),
}


@pytest.mark.parametrize("lost", ["is_superuser", "is_active"])
@pytest.mark.parametrize("change", CHANGES, ids=[name.replace(" ", "_") for name in CHANGES])
def test_a_request_of_a_superuser_who_just_lost_their_rights_changes_none(lost, change):
    actor, other = (new_user(is_staff=True, is_superuser=True) for _ in range(2))
    request = RequestFactory().post("/anywhere/")
    request.user = User.objects.get(pk=actor.pk)
    lose(actor, lost)

    def view(_: HttpRequest) -> HttpResponse:
        with transaction.atomic():
            CHANGES[change](User.objects.get(pk=other.pk))
        return HttpResponse()

    before = User.objects.values().get(pk=other.pk)
    with pytest.raises(PermissionDenied):
        request_in_hand(view)(request)
    assert User.objects.values().get(pk=other.pk) == before
    assert not other.groups.exists()
    assert Group.objects.get(name="auditor").permissions.exists()
    assert not User.objects.filter(email="eve@example.org").exists()
