"""The caches. project/settings.py imports these settings."""

from typing import Any
from urllib.parse import parse_qsl

from redis import ConnectionPool, RedisError

from project.addresses import is_redis_database, read_url, unreadable
from project.environment import env

#: The scheme that redis-py knows, by the scheme in CACHE_URL.
REDIS_SCHEMES = {"redis": "redis", "rediss": "rediss", "redis+socket": "unix", "unix": "unix"}
#: The options of a connection that CACHE_URL may set after a question mark.
REDIS_OPTIONS = {
    *("db", "socket_timeout", "socket_connect_timeout", "health_check_interval", "max_connections"),
    *("ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"),
}
LOCAL = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
FORM = (
    "must be locmemcache://, redis://HOST:PORT/DB, rediss://HOST:PORT/DB or "
    f"redis+socket:///PATH, and may set {', '.join(sorted(REDIS_OPTIONS))} after a question mark. No other cache is "
    "accepted, because Django unpickles what others store there, or each process would count alone"
)


def throttle_cache(url: str) -> dict[str, Any]:
    """Return the configuration of the cache that counts requests.

    Raises:
        ImproperlyConfigured: the URL names another kind of cache, or is wrong.
    """
    parts = read_url("CACHE_URL", url, schemes={"locmemcache", *REDIS_SCHEMES}, form=FORM)
    if parts.scheme == "locmemcache":
        return {**LOCAL, "LOCATION": "throttles"}
    if not set(dict(parse_qsl(parts.query, keep_blank_values=True))) <= REDIS_OPTIONS or not is_redis_database(parts):
        raise unreadable("CACHE_URL", FORM)
    place = REDIS_SCHEMES[parts.scheme] + url[len(parts.scheme) :]
    try:
        # Finds wrong values; nothing is connected.
        ConnectionPool.from_url(place).make_connection()
    except (ValueError, TypeError, OSError, RedisError):
        # The error of the library has the value in it.
        raise unreadable("CACHE_URL", FORM) from None
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        # In a list: in a text, Django takes a comma or semicolon of a password for the end of the URL.
        "LOCATION": [place],
        # With it, a Redis ACL can tell these keys from the broker's.
        "KEY_PREFIX": "throttles",
        "OPTIONS": {
            # Django's own unpickles.
            "serializer": "project.api.counters.JSONSerializer",
            # Requests must not wait for the cache.
            "socket_connect_timeout": 0.2,
            "socket_timeout": 0.2,
        },
    }


# Where throttles count requests: redis://, rediss:// or redis+socket://. The default counts in each process separately.
# While the cache is down, no request is throttled.
CACHE_URL: str = env.str("CACHE_URL", default="locmemcache://")
# Nothing but counts is cached outside the process.
CACHES: dict[str, dict[str, Any]] = {"default": LOCAL, "throttles": throttle_cache(CACHE_URL)}
