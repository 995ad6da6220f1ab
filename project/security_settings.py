"""Secrets, hosts, passwords, tokens and limits. project/settings.py imports these settings."""

import hmac
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from project.addresses import is_origin
from project.environment import DEBUG, env

DEFAULT_SECRET_KEY = "only-for-one-machine-and-for-tests-never-for-production"  # noqa: S105 - not a secret
# Signs sessions and forms: 50 random characters, the same for every process. The default is public, so without DEBUG
# the web server refuses it, like any other secret that is short or repeats itself.
SECRET_KEY: str = env.str("SECRET_KEY", default=DEFAULT_SECRET_KEY)
# Former values of SECRET_KEY, whose sessions are still accepted: docs/operations.md says how to change it.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
# Signs the API's tokens: 50 random characters, other ones than SECRET_KEY. Without it the key is derived from
# SECRET_KEY.
TOKEN_KEY: str = env.str("TOKEN_KEY", default="")
# Former values of TOKEN_KEY, whose tokens are still accepted.
TOKEN_KEY_FALLBACKS: list[str] = env.list("TOKEN_KEY_FALLBACKS", default=[])


def derived_token_key(secret: str) -> str:
    """Return a key for tokens that tells nothing about the secret."""
    return hmac.digest(secret.encode(), b"orderly: the key of tokens", "sha256").hex()


#: The keys with which tokens are accepted; new ones are signed with the first.
TOKEN_KEYS: list[str] = [
    *([TOKEN_KEY] if TOKEN_KEY else map(derived_token_key, [SECRET_KEY, *SECRET_KEY_FALLBACKS])),
    *TOKEN_KEY_FALLBACKS,
]
# The host names that the web server answers to.
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
# Origins whose forms are accepted, such as https://shop.example.org: for the admin behind an HTTPS proxy.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
if not all(map(is_origin, CSRF_TRUSTED_ORIGINS)):
    raise ImproperlyConfigured("CSRF_TRUSTED_ORIGINS must be like https://shop.example.org, with commas between them.")
# The number of reverse proxies that add to X-Forwarded-For. With 0 the header is ignored, and the client's address is
# that of the connection.
NUM_PROXIES: int = env.int("NUM_PROXIES", default=0)
if NUM_PROXIES < 0:
    raise ImproperlyConfigured("NUM_PROXIES must be 0 or the number of reverse proxies.")

# Counts failed log-ins before it checks a password.
AUTHENTICATION_BACKENDS = ["users.login.CountedBackend"]
PASSWORD_HASHERS = [
    "users.hashers.Argon2",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {"user_attributes": ("email", "name")}),
        ("MinimumLengthValidator", {}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

# Whether an account can log in only after its e-mail address is confirmed, by the link in a mail. The default is on
# without DEBUG. Where it is off, a stranger can use an account with an address that is not theirs.
CONFIRM_EMAIL: bool = env.bool("CONFIRM_EMAIL", default=not DEBUG)

SIMPLE_JWT = {
    "USER_AUTHENTICATION_RULE": "users.login.may_log_in",
    "ALGORITHM": "HS256",
    "SIGNING_KEY": TOKEN_KEYS[0],
    "AUTH_TOKEN_CLASSES": ["users.tokens.AccessToken"],
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    # Clocks of two machines may differ by this many seconds.
    "LEEWAY": 60,
    # Changing the password revokes its tokens.
    "CHECK_REVOKE_TOKEN": True,
}
