"""The rules on rights, as the admin of accounts and groups asks for them."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from users import rights
from users.models import User


class GuardsAccounts(admin.ModelAdmin):  # type: ignore[type-arg]
    """Refuses changes of accounts that users/rights.py does not allow, whatever is posted."""

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Allow superusers to change any account, others only those of customers."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or rights.may_edit(request.user, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        names = rights.read_only_fields(request.user, obj)
        return (*super().get_readonly_fields(request, obj), *sorted(names))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Lock an account that is about to change, so that it gets no rights after it was checked."""
        account = super().get_object(request, object_id, from_field)
        if account is None or request.method != "POST" or not transaction.get_connection().in_atomic_block:
            return account
        rights.change_alone()
        return self.get_queryset(request).select_for_update(no_key=True).filter(pk=account.pk).first()

    @method_decorator([sensitive_post_parameters(), csrf_protect])
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Add a customer. Django's own view also asks for the permission to change accounts, which is not needed:
        the form of a new account has no rights.
        """  # noqa: D205
        return self.changeform_view(request, None, form_url, extra_context)

    @method_decorator([sensitive_post_parameters(), transaction.atomic])
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set the password of another account. One's own is changed with the old password."""
        if self.get_object(request, unquote(id)) == request.user:
            return HttpResponseRedirect(reverse("admin:password_change"))
        answer: HttpResponse = super().user_change_password(request, id, form_url)  # type: ignore[misc]
        return answer


class OnlyForSuperusers(admin.ModelAdmin):  # type: ignore[type-arg]
    """Lets superusers add, change and delete; others may look, with permission."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers may add."""
        return rights.may_give_rights(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers may change."""
        return rights.may_give_rights(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers may delete."""
        return rights.may_give_rights(request.user)
