"""The admin's login, which is throttled together with the API's."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from project.api.throttles import AddressThrottle
from project.errors import TryLater


class LogInForm(AuthenticationForm):  # type: ignore[misc]  # unfold is not typed
    """Refuses an address that has tried too often before it checks the password."""

    #: As in views of the API.
    throttle_scope = "login"

    def clean(self) -> dict[str, Any]:
        throttle = AddressThrottle()
        if not throttle.allow_request(self.request, self):
            raise ValidationError(
                f"Too many logins from this address. Try again in {throttle.wait():.0f} seconds.", code="throttled"
            )
        try:
            cleaned: dict[str, Any] = super().clean()
        except TryLater as error:
            raise ValidationError(f"{error} Try again in {error.wait} seconds.", code=error.code) from error
        return cleaned
