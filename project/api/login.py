"""The admin's login, which is throttled together with the API's."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from project.api.throttles import count_log_in
from project.errors import TryLater


class LogInForm(AuthenticationForm):  # type: ignore[misc]  # unfold is not typed
    """Refuses an address that has tried too often before it checks the password."""

    def clean(self) -> dict[str, Any]:
        try:
            count_log_in(self.request, refusal="Too many logins from this address.")
            cleaned: dict[str, Any] = super().clean()
        except TryLater as error:
            raise ValidationError(f"{error} Try again in {error.wait} seconds.", code=error.code) from error
        return cleaned
