"""The admin's sidebar."""

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst


def menu(request: HttpRequest) -> list[dict[str, Any]]:
    """List the tables that the user may see, in the order and with the icons of settings.ADMIN_MENU.

    Each table is listed under the app that defines its admin, so groups of users appear with the users.
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
