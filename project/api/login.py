"""The admin's login, which is throttled together with the API's."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from project.api.throttles import AddressThrottle


class LogInForm(AuthenticationForm):  # type: ignore[misc]  # unfold is not typed
    """Refuses an address that has tried too often before it checks the password."""

    #: As in views of the API.
    throttle_scope = "login"

    def clean(self) -> dict[str, Any]:
        throttle = AddressThrottle()
        if not throttle.allow_request(self.request, self):
            wait = round(throttle.wait() or 60)
            raise ValidationError(f"Too many logins from this address. Try again in {wait} seconds.", code="throttled")
        cleaned: dict[str, Any] = super().clean()
        return cleaned
