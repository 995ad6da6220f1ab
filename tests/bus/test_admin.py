"""The bus in Django admin: what a dead letter shows, and how an operator retries it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.urls import reverse

from project.bus import publish
from project.bus.models import AuditEntry, Delivery, Event, Failure, FailureCount, Receipt, Subscription
from project.bus.operator import dead_letters
from project.bus.worker.consumer import answer_bell
from tests.bus.events import Pinged
from tests.bus.helpers import last_audit_entry, make_due


@pytest.fixture
def dead_letter(subscribed):
    """A dead letter, and a list: its handler fails until the list is empty."""
    broken = [True]

    def stumble(event):
        if event.number == 1 and broken:
            raise ValueError("<b>the cup is broken</b>")

    handler = subscribed(stumble, Pinged, external=True, attempts=1)
    publish(Pinged(number=1))
    answer_bell(handler)
    publish(Pinged(number=2))
    answer_bell(handler)
    return handler, broken


def test_a_dead_letter_shows_its_traceback_as_text(admin_client, dead_letter):
    delivery = Delivery.objects.get(handler=dead_letter[0].name)
    assert delivery.dead_at is not None
    for url in (
        reverse("admin:bus_delivery_change", args=[delivery.pk]),
        reverse("admin:bus_failure_change", args=[Failure.objects.get().pk]),
    ):
        page = admin_client.get(url).content.decode()
        assert "Traceback (most recent call last)" in page
        assert "&lt;b&gt;the cup is broken&lt;/b&gt;" in page
        assert reverse("admin:bus_event_change", args=[delivery.event_id]) in page


def test_a_dead_letter_is_retried_once_its_handler_works(admin_client, admin_user, dead_letter):
    handler, broken = dead_letter
    delivery = Delivery.objects.get(handler=handler.name)
    broken.clear()
    answer = admin_client.post(
        reverse("admin:bus_delivery_changelist"),
        {"action": "retry_dead_letters", "_selected_action": [delivery.pk]},
        follow=True,
    )
    assert "Due again: 1" in answer.content.decode()
    assert last_audit_entry() == (str(admin_user.pk), "retry", {"ids": [delivery.pk]}, {"deliveries": 1})
    make_due(pk=delivery.pk)
    answer_bell(handler)
    assert not Delivery.objects.filter(pk=delivery.pk).exists()
    assert Receipt.objects.filter(delivery_id=delivery.pk).exists()


def test_a_delivery_that_is_not_dead_is_left_alone(admin_client, subscribed):
    handler = subscribed(hear, Pinged)
    publish(Pinged(number=1))
    before = Delivery.objects.get(handler=handler.name)
    answer = admin_client.post(
        reverse("admin:bus_delivery_changelist"),
        {"action": "retry_dead_letters", "_selected_action": [before.pk]},
        follow=True,
    )
    assert "Not dead, so left alone: 1" in answer.content.decode()
    assert Delivery.objects.get(pk=before.pk).due_at == before.due_at


def hear(event): ...


@pytest.mark.parametrize("model", [Event, Delivery, Receipt, Failure, FailureCount, Subscription])
def test_every_table_of_the_bus_can_be_seen_but_not_changed(admin_client, dead_letter, model):
    name = f"admin:bus_{model._meta.model_name}"
    row = model.objects.first()
    assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
    assert admin_client.get(reverse(f"{name}_add")).status_code == 403
    assert admin_client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_events_are_found_by_their_id_their_subject_and_their_chain(admin_client, db):
    first = Pinged(number=1)
    publish(first, Pinged(number=2, correlation_id=first.id), Pinged(number=3))
    for term, found in (("1", 1), (str(first.id), 2), ("nobody", 0)):
        page = admin_client.get(reverse("admin:bus_event_changelist"), {"q": term})
        assert page.context["cl"].result_count == found


def retry(client, delivery_id):
    return client.post(reverse("admin:bus_delivery_retry", args=[delivery_id]), {"_form_submitted": "True"})


def test_a_dead_letter_is_retried_from_its_page(admin_client, admin_user, dead_letter):
    delivery = Delivery.objects.get(handler=dead_letter[0].name)
    page = reverse("admin:bus_delivery_change", args=[delivery.pk])
    button = reverse("admin:bus_delivery_retry", args=[delivery.pk])
    assert button in admin_client.get(page).content.decode()

    answer = retry(admin_client, delivery.pk)

    assert answer["HX-Redirect"] == reverse("admin:bus_event_change", args=[delivery.event_id])
    assert "Due again, now" in admin_client.get(answer["HX-Redirect"]).content.decode()
    after = Delivery.objects.get(pk=delivery.pk)
    assert (after.dead_at, after.attempts) == (None, 0)
    assert last_audit_entry() == (str(admin_user.pk), "retry", {"ids": [delivery.pk]}, {"deliveries": 1})
    assert button not in admin_client.get(page).content.decode()
    assert (
        "Not dead, so left alone" in admin_client.get(retry(admin_client, delivery.pk)["HX-Redirect"]).content.decode()
    )


def test_the_dialog_changes_nothing_and_a_delivery_done_meanwhile_gives_a_warning(admin_client, dead_letter):
    delivery = Delivery.objects.get(handler=dead_letter[0].name)
    assert admin_client.get(reverse("admin:bus_delivery_retry", args=[delivery.pk])).status_code == 200
    assert Delivery.objects.get(pk=delivery.pk).dead_at == delivery.dead_at

    answer = retry(admin_client, 4711)

    assert "That delivery is no longer owed." in admin_client.get(answer["HX-Redirect"]).content.decode()


def test_many_selected_dead_letters_are_retried_in_chunks(admin_client, dead_letter, monkeypatch):
    monkeypatch.setattr(dead_letters, "DELIVERIES_PER_TRANSACTION", 2)
    publish(*(Pinged(number=number) for number in range(4)))
    Delivery.objects.filter(handler=dead_letter[0].name).update(dead_at=Now())
    ids = list(Delivery.objects.filter(handler=dead_letter[0].name).order_by("pk").values_list("pk", flat=True))
    selection = {"action": "retry_dead_letters", "_selected_action": ids}
    answer = admin_client.post(reverse("admin:bus_delivery_changelist"), selection, follow=True)
    assert f"Due again: {len(ids)}." in answer.content.decode()
    assert not Delivery.objects.filter(dead_at__isnull=False).exists()
    asked = [entry.request["ids"] for entry in AuditEntry.objects.order_by("pk")]
    assert asked == [ids[start : start + 2] for start in range(0, len(ids), 2)]


def test_a_user_who_may_only_view_cannot_retry_a_dead_letter(client, django_user_model, dead_letter):
    clerk = django_user_model.objects.create_user("clerk@example.org", "battery horse", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    client.force_login(clerk)
    delivery = Delivery.objects.get(handler=dead_letter[0].name)

    page = client.get(reverse("admin:bus_delivery_change", args=[delivery.pk]))

    assert page.status_code == 200
    assert reverse("admin:bus_delivery_retry", args=[delivery.pk]) not in page.content.decode()
    assert retry(client, delivery.pk).status_code == 403
    assert Delivery.objects.get(pk=delivery.pk).dead_at == delivery.dead_at


def test_deliveries_are_found_by_their_state_handler_event_and_number(admin_client, dead_letter, subscribed):
    Delivery.objects.exclude(event__type=Pinged.wire_name).delete()  # the admin's own
    handler = subscribed(hear, Pinged)
    dead = Delivery.objects.get(handler=dead_letter[0].name)
    publish(Pinged(number=3))
    publish(Pinged(number=4), delay=timedelta(hours=1))
    publish(Pinged(number=5))
    due, scheduled, waiting = Delivery.objects.filter(handler=handler.name).order_by("pk")
    Delivery.objects.filter(pk=waiting.pk).update(waits_for="tests.pinged version 9")
    Delivery.objects.filter(handler=dead_letter[0].name, dead_at=None).update(attempts=1)
    retrying = Delivery.objects.filter(attempts=1, dead_at=None)
    make_due(pk__in=[due.pk, waiting.pk])
    for query, found in (
        ({"state": "dead"}, {dead.pk}),
        ({"state": "due"}, {due.pk}),
        ({"state": "scheduled"}, {scheduled.pk}),
        ({"state": "waiting"}, {waiting.pk}),
        ({"state": "retrying"}, {row.pk for row in retrying}),
        ({"handler": handler.name}, {due.pk, scheduled.pk, waiting.pk}),
        ({"handler": dead.handler}, {dead.pk, *(row.pk for row in retrying)}),
        ({"q": str(dead.event_id)}, {dead.pk}),
        ({"q": str(dead.pk)}, {dead.pk}),
    ):
        page = admin_client.get(reverse("admin:bus_delivery_changelist"), query)
        assert {row.pk for row in page.context["cl"].result_list} == found, query


def test_the_list_of_events_counts_the_states_of_each_and_filters_by_type(admin_client, dead_letter):
    path = reverse("admin:bus_event_changelist")
    page = admin_client.get(path, {"type": Pinged.wire_name}).content.decode()
    assert "1 dead" in page
    assert "1 done" in page
    assert admin_client.get(path, {"type": "users.user_created"}).context["cl"].result_count == 1  # the admin's
    assert admin_client.get(path).context["cl"].result_count == 3


def test_a_subscription_shows_whether_its_circuit_is_open_and_it_is_paused_or_retired(admin_client, dead_letter):
    path, row = reverse("admin:bus_subscription_changelist"), Subscription.objects.filter(handler=dead_letter[0].name)
    open_circuit = {"open_until": Now() + timedelta(minutes=5), "openings": 1}
    for change, shown in (open_circuit, "circuit open"), ({"paused": True}, "paused"), ({"active": False}, "retired"):
        row.update(**change)
        assert shown in admin_client.get(path, {"q": dead_letter[0].name}).content.decode()


def test_a_dead_letter_is_not_due_on_its_events_page(admin_client, dead_letter):
    dead = Delivery.objects.get(handler=dead_letter[0].name)
    Delivery.objects.filter(pk=dead.pk).update(due_at="2031-05-04T12:00Z")
    for url in (
        reverse("admin:bus_event_change", args=[dead.event_id]),
        reverse("admin:bus_delivery_change", args=[dead.pk]),
        reverse("admin:bus_delivery_changelist"),
    ):
        assert "2031" not in admin_client.get(url).content.decode()
