"""All URLs of the system."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from project.api.docs import DocsView, SchemaView
from project.api.problems import unknown_route
from project.console.health import healthz, readyz
from users.admin_password import change_own_password
from users.pages import confirm_address_page

routes = [
    path("", include("users.urls")),
    path("", include("orders.urls")),
    path("", include("inventory.urls")),
    path("", include("project.console.urls")),
]
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/password_change/", change_own_password),
    path("admin/", admin.site.urls),
    path("api/v1/", include(routes)),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocsView.as_view(), name="docs"),
    re_path("^api/", unknown_route),
    path("users/confirm/<token>/", confirm_address_page, name="confirm-address"),
    path("healthz", healthz),
    path("readyz", readyz),
]
