"""URLs of servers: checked before a library reads them, whose errors have a part of the password in them."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Connection
from psycopg import ProgrammingError
from psycopg.conninfo import make_conninfo

#: URLs that may be without a host: of files, of sockets, and of this process.
HOSTLESS = {"sqlite", "postgres", "postgresql", "redis+socket", "unix", "locmemcache"} | {
    *("filemail", "consolemail", "memorymail", "dummymail"),
}
#: Of these, the path is that of a file.
IN_FILES = {"sqlite", "redis+socket", "unix", "filemail"}
#: The options of a connection that BROKER_URL may set after a question mark.
BROKER_OPTIONS = {
    *("ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname"),
    "virtual_host",
}
BROKER_FORM = (
    "must begin with redis://, rediss://, redis+socket://, amqp:// or amqps://, name a host or socket, and may set "
    f"{', '.join(sorted(BROKER_OPTIONS))} after a question mark"
)
DATABASE_FORM = (
    "must begin with postgres:// or sqlite:///, name a database, and may set options of libpq after a question mark, "
    "but none for SQLite"
)
LIBPQ_NUMBERS = {"port", "connect_timeout", "tcp_user_timeout", "keepalives"} | {
    f"keepalives_{name}" for name in ("idle", "interval", "count")
}
SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
#: The longest name of a PostgreSQL database, in bytes.
MAX_NAME = 63


def read_url(var: str, url: str, *, schemes: Collection[str], form: str) -> SplitResult:
    """Return the parts of a URL, which is not shown if it is wrong.

    Raises:
        ImproperlyConfigured: it has another scheme, or no parser would read it as it is meant.
    """
    try:
        parts = urlsplit(url)
        hosts = parts.netloc.rpartition("@")[2].split(",")  # PostgreSQL may have several
        is_right = (
            parts.scheme in schemes
            and url.lower().startswith(f"{parts.scheme}://")
            and (parts.hostname or parts.scheme in HOSTLESS)
            and (len(parts.path) > 1 or parts.scheme not in IN_FILES)
            and all(map(is_host, hosts))
            and not re.search(r"[\s#\\]|%(?![0-9A-Fa-f]{2})", url)
            # An @ there follows a password with an unescaped slash or question mark.
            and "@" not in parts.path + parts.query
            and unquote(url, errors="strict").isprintable()
        )
    except ValueError:
        # Its text has a part of the value in it.
        is_right = False
    if not is_right:
        raise unreadable(var, form)
    return parts


def is_host(text: str) -> bool:
    """Whether a text is a host, perhaps with a port, or nothing.

    Raises:
        ValueError: the port is too high.
    """
    return bool(re.fullmatch(r"(\[[^\[\]]+\]|[^\[\]:]*)(:[0-9]+)?", text)) and urlsplit(f"//{text}").port != 0


def is_redis_database(parts: SplitResult) -> bool:
    """Whether the path of a Redis on a host is the number of a database, or nothing."""
    return parts.scheme not in ("redis", "rediss") or bool(re.fullmatch(r"/?[0-9]{0,5}", parts.path))


def unreadable(var: str, form: str) -> ImproperlyConfigured:
    """Return the error of a URL that is wrong, without the URL."""
    return ImproperlyConfigured(f"{var} {form}. Percent-encode its user name and password: a slash is %2F.")


def is_origin(url: str) -> bool:
    """Whether a URL is a scheme, a host and perhaps a port, as https://shop.example.org is."""
    try:
        parts = urlsplit(url)
        return (
            bool(re.fullmatch(r"https?://([\w.*-]+|\[[\w:.]+\])(:[0-9]+)?", url) and parts.hostname) and parts.port != 0
        )
    except ValueError:
        return False


def check_broker(urls: str) -> None:
    """Let the parser of Celery read BROKER_URL, which may be several URLs with semicolons between them.

    Raises:
        ImproperlyConfigured: it cannot.
    """
    for url in urls.split(";"):
        parts = read_url(
            "BROKER_URL", url, schemes={"redis", "rediss", "redis+socket", "amqp", "amqps"}, form=BROKER_FORM
        )
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        known = {"virtual_host"} if parts.scheme == "redis+socket" else BROKER_OPTIONS
        is_right = options.keys() <= known and is_redis_database(parts)
        if parts.scheme.startswith("redis"):
            is_right &= options.get("virtual_host", "0").isdecimal()
        try:
            # Nothing is connected. kombu keeps its own transport for the scheme, until configure() sets the guard.
            Connection(url)
        except (KeyError, TypeError, ValueError):
            is_right = False
        if not is_right:
            raise unreadable("BROKER_URL", BROKER_FORM)


def database_config(url: str) -> dict[str, Any]:
    """Return the configuration of the database that DATABASE_URL names.

    Raises:
        ImproperlyConfigured: it names none, or has an option that there is not.
    """
    parts = read_url("DATABASE_URL", url, schemes={"sqlite", "postgres", "postgresql"}, form=DATABASE_FORM)
    is_right = not parts.netloc and not parts.query if parts.scheme == "sqlite" else are_options(parts.query)
    if not is_right or parts.path in ("", "/"):
        raise unreadable("DATABASE_URL", DATABASE_FORM)
    config: dict[str, Any] = environ.Env.db_url_config(url)
    if len(config["NAME"].encode()) > MAX_NAME and parts.scheme != "sqlite":
        raise unreadable("DATABASE_URL", DATABASE_FORM)
    return config


def are_options(query: str) -> bool:
    """Whether libpq knows the options of a PostgreSQL connection, and can read those with few values."""
    options = dict(parse_qsl(query, keep_blank_values=True))
    options.pop("assume_role", None)  # of Django
    try:
        make_conninfo(**options)
    except ProgrammingError:
        return False
    numbers = [value for name, value in options.items() if name in LIBPQ_NUMBERS]
    return all(options.values()) and all(map(str.isdecimal, numbers)) and options.get("sslmode", "prefer") in SSL_MODES
