"""A link from a row's page to its changes in the audit."""

from typing import Any

from django.http import HttpRequest

from project.bus.admin.tables import LargeTableAdmin, list_link


class LinksToChanges(LargeTableAdmin):
    """Shows the link to those who may see the audit."""

    #: The field that names a row in the audit.
    audit_key = "pk"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or not request.user.has_perm("audit.view_change"):
            return fieldsets
        (title, options), *others = fieldsets
        return [(title, {**options, "fields": (*options["fields"], "changes")}), *others]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "changes")

    def changes(self, row: Any) -> str:
        return list_link("audit_change", "changes by people", q=getattr(row, self.audit_key))
