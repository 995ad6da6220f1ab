"""Accounts and groups in the admin."""

from datetime import datetime
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import ManyToManyField, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from project.adminkit import LargeTableAdmin, LinksToChanges, ReadOnlyAdmin, list_link
from project.plain_text import validate_line
from users import attempts
from users.confirmation import mark_confirmed
from users.models import MailCount, User
from users.rights_admin import GuardsAccounts, OnlyForSuperusers

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


def without_address(entry: LogEntry) -> LogEntry:
    """Name an account by its id in the admin's history, which outlives the account's address."""
    entry.object_repr = str(entry.object_id)
    entry.save(update_fields=["object_repr"])
    return entry


@admin.register(User)
class UserAdmin(LinksToChanges, GuardsAccounts, CompactMultiSelect, DjangoUserAdmin, LargeTableAdmin):  # type: ignore[type-arg, misc]
    """Accounts, newest first. Adding one publishes UserCreated."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_active", "role", "date_joined")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email__startswith", "name__words", "id")
    search_help_text = "E-mail address, name or id"
    ordering = ("-id",)
    readonly_fields = ("id", "email_confirmed_at", "date_joined", "last_login", "locked_out_until", "orders", "events")
    actions = ("mark_addresses_confirmed", "clear_lock_outs")
    fieldsets = (
        (None, {"fields": ("email", "email_confirmed_at", "name", "password", "id", "orders", "events")}),
        ("Permissions", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("date_joined", "last_login", "locked_out_until")}),
    )
    add_fieldsets = (
        (None, {"classes": ("wide",), "fields": ("email", "name", "usable_password", "password1", "password2")}),
    )

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        return without_address(super().log_addition(request, obj, message))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        return without_address(super().log_change(request, obj, message))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: other services know the id, so an account is deactivated instead."""
        return False

    def has_confirm_permission(self, request: HttpRequest) -> bool:
        """Only superusers vouch for an address: it decides who may log in."""
        return bool(request.user.is_active and request.user.is_superuser)

    @action(description="Mark address as confirmed", permissions=["confirm"])
    def mark_addresses_confirmed(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        confirmed = [user for user in queryset if mark_confirmed(user)]
        for user in confirmed:
            self.log_change(request, user, "Marked the address as confirmed.")
        self.message_user(request, f"Addresses marked as confirmed: {len(confirmed)}.")

    @display(description="role", label=True)
    def role(self, user: User) -> str | None:
        """The permissions of the account beyond ordering."""
        if user.is_superuser:
            return "superuser"
        return "staff" if user.is_staff else None

    @display(description="locked out until")
    def locked_out_until(self, user: User) -> datetime | None:
        """The end of the lock-out after too many failed log-ins."""
        return attempts.locked_until(user.email)

    @admin.action(description="Clear lock-outs of selected accounts", permissions=["clear_lock_outs"])
    def clear_lock_outs(self, request: HttpRequest, accounts: QuerySet[User]) -> None:
        """Forget the failed log-ins of accounts, so that their owners need not wait."""
        cleared = [account for account in accounts if attempts.unlock(account)]
        for account in cleared:
            self.log_change(request, account, "Cleared the lock-out.")
        self.message_user(request, f"Failed log-ins forgotten: {len(cleared)} of {len(accounts)} accounts had any.")

    def has_clear_lock_outs_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def orders(self, user: User) -> str:
        return list_link("orders_order", "orders of this customer", q=user.pk)

    def events(self, user: User) -> str:
        return list_link("bus_event", "events about this account", q=user.pk)


@admin.register(MailCount)
class MailCountAdmin(ReadOnlyAdmin):
    """How many mails each mailbox got, by day. Mailboxes are shown as hashes."""

    list_display = fields = ("id", "day", "mailbox", "sent", "suppressed")
    readonly_fields = fields
    ordering = ("-id",)

    def mailbox(self, count: MailCount) -> str:
        """The beginning of the hash, which tells mailboxes apart and fits a phone."""
        return f"{count.recipient[:12]}…"


@admin.register(Group)
class GroupAdmin(OnlyForSuperusers, CompactMultiSelect, DjangoGroupAdmin, LargeTableAdmin):  # type: ignore[misc]
    """Groups of staff with the same permissions."""

    search_fields = ("name__startswith",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "name":
            # The model is Django's.
            field.validators.append(validate_line)
        return field
