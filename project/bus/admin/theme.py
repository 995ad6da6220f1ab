"""The look of the bus's admin: django-unfold's where it is in INSTALLED_APPS, otherwise Django's own.

No other module asks which one it is. Both modules offer the same names; plain.py documents them.
"""

from typing import TYPE_CHECKING

from django.apps import apps

# Type checkers see unfold's, because an admin that is written for it uses attributes that Django's does not have.
if TYPE_CHECKING or apps.is_installed("unfold"):
    from .unfolded import ModelAdmin, TabularInline, display, go_to, object_action
else:
    from .plain import ModelAdmin, TabularInline, display, go_to, object_action

__all__ = ["ModelAdmin", "TabularInline", "display", "go_to", "object_action"]
