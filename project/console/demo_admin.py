"""The account that `manage.py demo_data` adds with DEBUG on, and whose password `manage.py up` shows.

It is here, below the demo, because `up` must not depend on the demo.
"""

from django.conf import settings

from users.models import User

#: Public, so the account is only added with DEBUG on.
DEMO_ADMIN_EMAIL = "admin@example.org"
DEMO_ADMIN_PASSWORD = "taste-before-you-buy"  # noqa: S105


def demo_admin_can_log_in() -> bool:
    """Tell whether the account exists and still has the public password; always False with DEBUG off."""
    if not settings.DEBUG:
        return False
    admin = User.objects.filter(email=DEMO_ADMIN_EMAIL).first()
    return admin is not None and admin.check_password(DEMO_ADMIN_PASSWORD)
