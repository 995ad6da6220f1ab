"""Accounts and groups in the admin."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from project.adminkit import LargeTableAdmin, list_link
from users.models import User

admin.site.unregister(Group)


class CompactMultiSelect(admin.ModelAdmin):  # type: ignore[type-arg]
    """Selects groups and permissions in one list each: Django's two columns are wider than many screens."""

    filter_horizontal = ()

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> "ModelMultipleChoiceField[Any]":
        # Django has no field only for a relation with a model of its own, and groups and permissions have none.
        field = cast("ModelMultipleChoiceField[Any]", super().formfield_for_manytomany(db_field, request, **kwargs))
        field.widget.attrs["size"] = 12
        return field


@admin.register(User)
class UserAdmin(CompactMultiSelect, DjangoUserAdmin, LargeTableAdmin):  # type: ignore[type-arg, misc]
    """Accounts, newest first. Adding one publishes UserCreated."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_active", "role", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email__startswith", "name__words", "id")
    search_help_text = "E-mail address, name or id"
    ordering = ("-id",)
    readonly_fields = ("id", "date_joined", "last_login", "orders", "events")
    fieldsets = (
        (None, {"fields": ("email", "name", "password", "id", "orders", "events")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: other services know the id, so an account is deactivated instead."""
        return False

    @display(description="role", label=True)
    def role(self, user: User) -> str | None:
        """The permissions of the account beyond ordering."""
        if user.is_superuser:
            return "superuser"
        return "staff" if user.is_staff else None

    def orders(self, user: User) -> str:
        return list_link("orders_order", "orders of this customer", q=user.pk)

    def events(self, user: User) -> str:
        return list_link("bus_event", "events about this account", q=user.pk)


@admin.register(Group)
class GroupAdmin(CompactMultiSelect, DjangoGroupAdmin, LargeTableAdmin):  # type: ignore[misc]
    """Groups of staff with the same permissions."""

    search_fields = ("name__startswith",)
