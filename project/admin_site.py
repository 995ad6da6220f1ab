"""The admin site: unfold's, without the views that no page of ours uses.

It imports no admin of an app, because those register at the site.
"""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import InvalidPage
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver
from unfold.sites import UnfoldAdminSite


class AdminSite(UnfoldAdminSite):  # type: ignore[misc]  # unfold is not typed
    """Refuses what its pages do not offer."""

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        # It would delete without the operation, and many rows at once.
        self.disable_action("delete_selected")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """All but "view on site": no table has pages elsewhere, and a key of the wrong type makes it fail."""
        return [url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The menu's search. A page that does not exist is a 404."""
        try:
            answer: HttpResponse = super().search(request, extra_context)
        except InvalidPage as error:
            raise Http404 from error
        return answer

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """Search only for fields that a form completes. Django searches for every relation of every table."""
        asked = request.GET.get
        wanted = asked("app_label"), asked("model_name"), asked("field_name")
        forms = [*self._registry.values(), *(inline for page in self._registry.values() for inline in page.inlines)]
        for form in forms:
            meta = form.model._meta
            if wanted in [(meta.app_label, meta.model_name, field) for field in form.autocomplete_fields]:
                answer: HttpResponse = super().autocomplete_view(request)
                return answer
        raise PermissionDenied
