"""The audit in the admin."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from project.audit.models import Change
from project.bus.admin.actors import ShowsActors
from project.bus.admin.columns import moment
from project.bus.admin.tables import NOTHING, list_link


@admin.register(Change)
class ChangeAdmin(ShowsActors):
    """Changes of prices, accounts and rights, newest first."""

    list_display = ("id", "actor_link", "action", "changed", "what", "time")
    search_fields = ("actor", "object_id")
    search_help_text = "Id of the account that made a change, or what changed: an id, SKU, code or group"
    ordering = ("-id",)
    fields = ("id", "actor_link", "action", "changed", "what", "at")
    readonly_fields = fields

    @admin.display(description="object")
    def changed(self, change: Change) -> str:
        name = f"{change.object_type} {change.object_id}"
        return list_link(change.object_type.replace(".", "_"), name, q=change.object_id)

    @admin.display(description="at")
    def time(self, change: Change) -> SafeString:
        """A date that does not break at its dashes."""
        return format_html('<span style="white-space: nowrap">{}</span>', moment(change.at))

    @admin.display(description="fields")
    def what(self, change: Change) -> SafeString | str:
        """Each field with its old and its new value."""
        lines = ((name, shown(value)) for name, value in change.fields.items())
        return format_html_join("", "<p>{}: {}</p>", lines) or NOTHING


def shown(value: object) -> str:
    """The old and the new value, or in words what happened: of a secret, that it changed."""
    if not isinstance(value, list):
        return str(value)
    old, new = (", ".join(part) if isinstance(part, list) else part for part in value)
    return f"{NOTHING if old in (None, '') else old} → {NOTHING if new in (None, '') else new}"
