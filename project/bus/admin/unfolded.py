"""The bus's admin with django-unfold: labels have colours, and a dialog confirms what is done to one row."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin, TabularInline
from unfold.dataclasses import ActionDialog
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

__all__ = ["ModelAdmin", "TabularInline", "display", "go_to", "object_action"]


def object_action(
    *, title: str, description: str, permissions: Sequence[str], icon: str
) -> Callable[[Callable[..., HttpResponse]], Any]:
    """As in plain.py. The confirmation is a dialog."""
    dialog = ActionDialog(title=title, description=description, form_class=None, form_submit_text=title)

    def decorate(method: Callable[..., HttpResponse]) -> Any:
        @action(description=title, permissions=permissions, dialog=dialog, icon=icon, variant=ActionVariant.PRIMARY)
        @wraps(method)
        def run(
            model_admin: Any,
            request: HttpRequest,
            form: BaseDialogForm,  # noqa: ARG001 (it has no fields)
            object_id: str,
        ) -> HttpResponse:
            return method(model_admin, request, object_id)

        return run

    return decorate


def go_to(address: str) -> HttpResponse:
    """Leave the dialog for a page."""
    return HttpResponse(headers={"HX-Redirect": address})
