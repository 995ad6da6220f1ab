"""Who did what, in the admin: the audit stores ids alone, and the names are looked up when a page is shown."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_permission_codename, get_user_model
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from .tables import ReadOnlyAdmin, link


class ShowsActors(ReadOnlyAdmin):
    """A table whose column `actor` has the id of an account, or another name."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, with the names of all its actors by one query."""
        changelist = super().get_changelist_instance(request)
        changelist.result_list = list(changelist.result_list)
        name_actors(changelist.result_list, viewer=request.user)
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        name_actors([row] if row else [], viewer=request.user)
        return row

    @admin.display(description="actor")
    def actor_link(self, row: Any) -> str:
        """The log-in name of an account with a link to it, or what the audit has."""
        names = row.names_of_actors
        if row.actor not in names:
            return str(row.actor)
        options = get_user_model()._meta
        return link(f"{options.app_label}_{options.model_name}", row.actor, names[row.actor])


def name_actors(rows: Iterable[Any], *, viewer: Any) -> None:
    """Give each row the log-in names of all accounts among the actors, by their ids.

    Only for a viewer who may see the accounts, because the names may be e-mail addresses.
    """
    accounts = get_user_model()
    options = accounts._meta
    may_see = any(
        viewer.has_perm(f"{options.app_label}.{get_permission_codename(verb, options)}") for verb in ("view", "change")
    )
    key = accounts._meta.pk
    ids = set()
    for row in rows if may_see else ():
        try:
            ids.add(key.to_python(row.actor))
        except ValidationError:
            continue  # the name of the operating system's user
    found = accounts._default_manager.filter(pk__in=ids) if ids else ()
    names = {str(account.pk): account.get_username() for account in found}
    for row in rows:
        row.names_of_actors = names
