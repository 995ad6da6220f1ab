"""The admin's log-in, counted together with the API's."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from project.api.throttles import AddressThrottle


class LogInForm(AuthenticationForm):  # type: ignore[misc]  # unfold is not typed
    """Refuses an address that tried too often, before it looks at the password."""

    #: As a view of the API names what is counted.
    throttle_scope = "login"

    def clean(self) -> dict[str, Any]:
        """Count, then look."""
        throttle = AddressThrottle()
        if not throttle.allow_request(self.request, self):
            wait = round(throttle.wait() or 60)
            raise ValidationError(f"Too many log-ins from this address. Try again in {wait} seconds.", code="throttled")
        cleaned: dict[str, Any] = super().clean()
        return cleaned
