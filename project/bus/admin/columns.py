"""Columns that several tables of the admin share: a row's event, its subject, a traceback, a time."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from .. import conf
from ..models import Delivery, Event, Failure, Receipt
from .tables import NOTHING, link

# A join would also be made for all rows before a page.
EVENTS = Prefetch("event", Event.objects.only("type", "subject", "data"))


def traceback(failure: Failure) -> SafeString:
    """A traceback whose lines may break anywhere, to fit a phone."""
    style = "white-space: pre-wrap; overflow-wrap: anywhere"
    return format_html('<pre class="text-xs" style="{}">{}</pre>', style, failure.traceback)


@admin.display(description="event")
def _event_link(row: Delivery | Receipt | Failure) -> str:
    """A link to a row's event, named by its type."""
    return link("bus_event", row.event_id, row.event.type)


#: A column of lists and pages. The stubs know only names in `fields`.
event_link: Any = _event_link


def named(event: Event) -> list[tuple[str, Any]]:
    """The fields of an event's data that name an object with an admin page, and their values."""
    pages = conf.admin_pages()
    return [(name, value) for name, value in event.data.items() if name in pages]


def subject(event: Event) -> str:
    """An event's subject, as a link if it has an admin page."""
    field = next((name for name, value in named(event) if str(value) == event.subject), None)
    return link(conf.admin_pages()[field], event.subject) if field else event.subject


def moment(value: datetime | None) -> str:
    """A time in the user's zone and format, or "-". On a row's page Django formats only fields of the model."""
    return localize(localtime(value)) if value else NOTHING


def due(delivery: Delivery) -> str:
    """When the next attempt is due. A dead letter has none."""
    return moment(None if delivery.dead_at else delivery.due_at)
