"""The bus's admin with Django's own: labels are text, and a page confirms what is done to one row."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from django.contrib import admin
from django.contrib.admin import TabularInline
from django.contrib.admin.templatetags.admin_list import pagination
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

__all__ = ["ModelAdmin", "TabularInline", "display", "go_to", "object_action"]


class ModelAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Adds unfold's `actions_detail`: what can be done to the row on a page."""

    change_form_template = "bus/plain/change_form.html"
    change_list_template = "bus/plain/change_list.html"
    actions_detail: tuple[str, ...] = ()

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(getattr(self, name)),
                name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
            )
            for name in self.actions_detail
        ]
        return [*own, *super().get_urls()]

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """The actions on one row that the user has permission for."""
        methods = [getattr(self, name) for name in self.actions_detail]
        return [method for method in methods if method.allowed(self, request, object_id)]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        offered = self.get_actions_detail(request, object_id) if object_id else []
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        links = [(reverse(f"{name}_{method.__name__}", args=[object_id]), method.title) for method in offered]
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "object_actions": links})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The list, with the page numbers that the template shows below it."""
        changelist: Any = super().get_changelist_instance(request)
        changelist.page_range = pagination(changelist)["page_range"]
        return changelist


def display(
    *,
    description: str,
    label: Mapping[str, str],  # noqa: ARG001 (only unfold shows it)
) -> Callable[[Callable[..., Any]], Any]:
    """Show a label as text. The method returns a key of `label`, or such a key and the text to show instead."""

    def decorate(method: Callable[..., Any]) -> Any:
        @admin.display(description=description)
        @wraps(method)
        def text(model_admin: Any, row: Any) -> Any:
            value = method(model_admin, row)
            return value[1] if isinstance(value, tuple) else value

        return text

    return decorate


def object_action(
    *,
    title: str,
    description: str,
    permissions: Sequence[str],
    icon: str,  # noqa: ARG001 (only unfold shows it)
) -> Callable[[Callable[..., HttpResponse]], Any]:
    """Run a method of a ModelAdmin for one row, at .../<id>/<name of the method>/, once the user has confirmed it.

    Only POST runs it; GET asks. The method takes the request and the row's id, and returns `go_to(address)`.

    Args:
        title: what the link and the button say.
        description: what it does, for the confirmation.
        permissions: as in `admin.action`: "retry" is the method `has_retry_permission`.
        icon: the name of the link's Material symbol; Django's own admin has no icons.
    """

    def allowed(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> bool:
        return all(getattr(model_admin, f"has_{name}_permission")(request, object_id) for name in permissions)

    def decorate(method: Callable[..., HttpResponse]) -> Any:
        @wraps(method)
        def run(model_admin: ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
            if not allowed(model_admin, request, object_id):
                raise PermissionDenied
            if request.method == "POST":
                return method(model_admin, request, object_id)
            context = {
                **model_admin.admin_site.each_context(request),
                "opts": model_admin.opts,
                "original": model_admin.get_object(request, object_id),
                "title": title,
                "description": description,
            }
            return TemplateResponse(request, "bus/plain/confirm.html", context)

        vars(run).update(title=title, allowed=allowed)
        return run

    return decorate


def go_to(address: str) -> HttpResponse:
    """Leave the confirmation for a page."""
    return HttpResponseRedirect(address)
