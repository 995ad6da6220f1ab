"""What the services' admins share: tables, links from one service to another, dialogs, and the menu.

Services hold each other's ids and no more, so a link between them is an id put into the name of a page; where the other
service is not installed it is plain text.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup
from django.db.models.sql.compiler import SQLCompiler
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.text import capfirst
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm

from project.api.errors import Conflict, InvalidInput
from project.bus.tables import NOTHING, Pages, ReadOnly, ReadOnlyTable, Table, link, list_link

__all__ = [
    "NOTHING",
    "DialogForm",
    "Pages",
    "ReadOnly",
    "ReadOnlyTable",
    "Table",
    "cause_link",
    "in_dialog",
    "link",
    "list_link",
    "menu",
]


@CharField.register_lookup
class HasWords(Lookup):
    """A text has, for each word that is looked for, one that begins with it.

    PostgreSQL has an index for just this expression on each column that is searched so, made by a migration; SQLite
    looks for the term as it is, anywhere.
    """

    lookup_name = "words"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The condition on SQLite."""
        column, params = self.process_lhs(compiler, connection)
        pattern = f"%{connection.ops.prep_for_like_query(self.rhs)}%"
        return rf"{column} LIKE %s ESCAPE '\'", (*params, pattern)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        """The condition on PostgreSQL."""
        column, params = self.process_lhs(compiler, connection)
        words = " & ".join(f"{word}:*" for word in re.findall(r"\w+", str(self.rhs)))
        return f"to_tsvector('simple', {column}) @@ to_tsquery('simple', %s)", (*params, words)


def cause_link(*, event_id: UUID | None, actor_id: UUID | None, brief: bool = False) -> str:
    """A link to what or who caused something: an event, else a person. A brief one is without the id."""
    page, word, key = ("bus_event", "event", event_id) if event_id else ("users_user", "person", actor_id)
    return link(page, key, word if brief else f"{word} {key}")


class DialogForm(BaseDialogForm):
    """A dialog's form that also shows what is wrong with no field in particular."""

    form_before_template = "unfold/helpers/messages/error.html"

    def get_before_template_context(self, request: HttpRequest, object_id: str | None = None) -> dict[str, Any]:
        """The errors, for that template."""
        return {"errors": self.non_field_errors()}


def in_dialog(
    request: HttpRequest, form: DialogForm, dialog: ActionDialog, operation: Callable[[], str]
) -> HttpResponse:
    """Run an operation that a dialog asked for and go where it says to, or say in the dialog why it refused."""
    try:
        return HttpResponse(headers={"HX-Redirect": operation()})
    except InvalidInput as refusal:
        for error in refusal.errors:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
    except Conflict as refusal:
        form.add_error(None, str(refusal))
    context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
    return render(request, "unfold/helpers/dialog.html", context)


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: the tables that the user may see, in the order and with the icons of settings.ADMIN_MENU.

    Each stands under the app that its admin is written in, so groups of users stand with the users.
    """
    groups: dict[AppConfig, list[dict[str, Any]]] = {}
    for label, icon in settings.ADMIN_MENU.items():
        try:
            model_admin = admin.site.get_model_admin(apps.get_model(label))
        except (LookupError, NotRegistered):
            continue  # that service runs apart from this process
        app = apps.get_containing_app_config(type(model_admin).__module__)
        if app and model_admin.has_view_or_change_permission(request):
            item = {
                "title": capfirst(model_admin.opts.verbose_name_plural),
                "icon": icon,
                "link": reverse(f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist"),
            }
            groups.setdefault(app, []).append(item)
    return [{"title": app.verbose_name, "items": items} for app, items in groups.items()]
