"""Secrets, hosts, passwords, tokens and limits. project/settings.py imports these settings."""

from datetime import timedelta
from typing import Any

from project.environment import env

DEFAULT_SECRET_KEY = "only-for-one-machine-and-for-tests-never-for-production"  # noqa: S105 - not a secret
# Signs sessions and tokens: 50 random characters, the same for every process. The default is public, so without DEBUG
# the web server refuses it.
SECRET_KEY: str = env.str("SECRET_KEY", default=DEFAULT_SECRET_KEY)
# The host names that the web server answers to.
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
# Origins whose forms are accepted, such as https://shop.example.org: for the admin behind an HTTPS proxy.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where throttles count requests: redis:// or rediss://. The default counts in each process separately. While the cache
# is down, no request is throttled.
CACHE_URL: str = env.str("CACHE_URL", default="locmemcache://")
CACHES: dict[str, dict[str, Any]] = {"default": env.cache_url_config(CACHE_URL)}
if CACHE_URL.startswith("redis"):
    # Requests must not wait for the cache.
    CACHES["default"].setdefault("OPTIONS", {}).update({"socket_connect_timeout": 0.2, "socket_timeout": 0.2})
# The number of reverse proxies that add to X-Forwarded-For. With 0 the header is ignored, and the client's address is
# that of the connection.
NUM_PROXIES: int = env.int("NUM_PROXIES", default=0)

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    # Changing the password revokes its tokens.
    "CHECK_REVOKE_TOKEN": True,
}
