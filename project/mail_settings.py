"""How mails are sent. project/settings.py imports these settings."""

from typing import Any
from urllib.parse import quote

import django
from django.core.exceptions import ImproperlyConfigured

from project.addresses import read_url, unreadable
from project.environment import DATA_DIR, env

EMAIL_FORM = (
    f"must begin with one of {', '.join(f'{scheme}://' for scheme in env.EMAIL_SCHEMES)}, and may have no options"
)


def email_config(url: str) -> dict[str, Any]:
    """Return the settings of the mail server that EMAIL_URL names.

    Raises:
        ImproperlyConfigured: the URL is wrong.
    """
    parts = read_url("EMAIL_URL", url, schemes=env.EMAIL_SCHEMES, form=EMAIL_FORM)
    if parts.query or (parts.netloc and parts.scheme == "filemail"):
        raise unreadable("EMAIL_URL", EMAIL_FORM)
    config: dict[str, Any] = env.email_url_config(url)
    return config


# The mail server, such as smtp+tls://user:password@host:587. The default writes mails to files.
EMAIL_URL: str = env.str("EMAIL_URL", default=f"filemail:///{quote(str(DATA_DIR / 'mail'))}")
_email: dict[str, Any] = email_config(EMAIL_URL) | {"EMAIL_TIMEOUT": 10}
if django.VERSION < (6, 1):
    vars().update(_email)
else:  # pragma: no cover - Django 6.1, on which `make test-matrix` runs all tests
    # Django 6.1 deprecates the EMAIL_* settings, and a backend refuses an option of another.
    _options = {"EMAIL_FILE_PATH": "file_path"} if "filebased" in _email["EMAIL_BACKEND"] else {}
    if "smtp" in _email["EMAIL_BACKEND"]:
        _options = {"EMAIL_HOST_USER": "username", "EMAIL_HOST_PASSWORD": "password"}
        _options |= {f"EMAIL_{name.upper()}": name for name in ("host", "port", "use_tls", "use_ssl", "timeout")}
    MAILERS = {
        "default": {
            "BACKEND": _email["EMAIL_BACKEND"],
            "OPTIONS": {name: _email[setting] for setting, name in _options.items() if setting in _email},
        }
    }
# How many mails one mailbox gets a day at most. ann+shop@example.org is the mailbox of ann@example.org.
MAX_MAILS_PER_DAY: int = env.int("MAX_MAILS_PER_DAY", default=50)
# The same for mails that anybody can cause: to an address that is not confirmed, and that somebody registered with an
# address that has an account.
MAX_MAILS_PER_DAY_UNCONFIRMED: int = env.int("MAX_MAILS_PER_DAY_UNCONFIRMED", default=3)
for _name in ("MAX_MAILS_PER_DAY", "MAX_MAILS_PER_DAY_UNCONFIRMED"):
    if vars()[_name] < 1:
        raise ImproperlyConfigured(f"{_name} must be 1 or more.")
# The sender of mails; its domain is that of their Message-IDs.
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="orders@example.org")
