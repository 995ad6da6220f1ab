"""The admin's page on which people change their own password. The old one is checked, and counted, like a log-in."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import authenticate
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest
from django.urls import reverse_lazy
from unfold.forms import AdminOwnPasswordChangeForm

from project.errors import TryLater
from users.models import User


class OwnPasswordForm(AdminOwnPasswordChangeForm):  # type: ignore[misc]  # unfold is not typed
    def __init__(self, user: User, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(user, *args, **kwargs)
        self.request = request

    def clean_old_password(self) -> str:
        old_password: str = self.cleaned_data["old_password"]
        try:
            user = authenticate(self.request, username=self.user.email, password=old_password)
        except TryLater as error:
            raise forms.ValidationError(f"{error} Try again in {error.wait} seconds.", code=error.code) from error
        if user != self.user:
            raise forms.ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return old_password


class OwnPasswordView(PasswordChangeView):
    form_class = OwnPasswordForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), **admin.site.each_context(self.request)}


change_own_password = admin.site.admin_view(OwnPasswordView.as_view(), cacheable=True)
