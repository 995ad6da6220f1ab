"""Dialogs that run an operation."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.dataclasses import ActionDialog
from unfold.forms import BaseDialogForm

from project.errors import Conflict, InvalidInput


class DialogForm(BaseDialogForm):
    """A dialog's form that also shows errors that belong to no field."""

    form_before_template = "unfold/helpers/messages/error.html"

    def get_before_template_context(self, request: HttpRequest, object_id: str | None = None) -> dict[str, Any]:
        return {"errors": self.non_field_errors()}


def run_in_dialog(
    request: HttpRequest, form: DialogForm, dialog: ActionDialog, operation: Callable[[], str]
) -> HttpResponse:
    """Run the operation of a submitted dialog.

    Args:
        operation: returns the address of the page to go to. If it raises `InvalidInput` or `Conflict`, the dialog
            stays open and shows why.
    """
    try:
        return HttpResponse(headers={"HX-Redirect": operation()})
    except InvalidInput as refusal:
        for error in refusal.errors:
            form.add_error(error.field if error.field in form.fields else None, error.detail)
    except Conflict as refusal:
        form.add_error(None, str(refusal))
    context = {"dialog": dialog, "form": form, "form_submit_text": dialog["form_submit_text"]}
    return render(request, "unfold/helpers/dialog.html", context)
