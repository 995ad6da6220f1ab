"""All settings. Environment variables set those that differ between deployments."""

import hashlib
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django
import environ
from django.core.exceptions import ImproperlyConfigured

from project.admin_settings import ADMIN_MENU, BUS_ADMIN_PAGES, UNFOLD  # noqa: F401 - Django reads them from here

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.Env):  # type: ignore[misc]
    """The environment; its errors name the variable."""

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        """Return the value of a variable.

        Raises:
            ImproperlyConfigured: the value has the wrong type.
        """
        try:
            return super().get_value(var, cast=cast, default=default, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} is {os.environ.get(var)!r}: {error}.") from error


env = Environment()

# The directory of the SQLite database, the socket of the bundled Redis, and mails that are written to files.
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
# The values that `make run` chose, so that a worker started from another shell uses the same. The environment takes
# precedence.
if (DATA_DIR / "env").is_file():
    env.read_env(DATA_DIR / "env")

# For your own machine: error pages show their causes, `demo_data` adds a demo admin, and the default SECRET_KEY is
# accepted.
DEBUG: bool = env.bool("DEBUG", default=False)
DEFAULT_SECRET_KEY = "only-for-one-machine-and-for-tests-never-for-production"  # noqa: S105 - not a secret
# Signs sessions and tokens: 50 random characters, the same for every process. The default is public, so without DEBUG
# the web server refuses it.
SECRET_KEY: str = env.str("SECRET_KEY", default=DEFAULT_SECRET_KEY)
# The host names that the web server answers to.
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
# Origins whose forms are accepted, such as https://shop.example.org: for the admin behind an HTTPS proxy.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# The port of the web server of `manage.py up`, which commands that use HTTP connect to.
PORT: int = env.int("PORT", default=8000)


def bundled_redis_socket() -> Path:
    """Return the socket of the bundled Redis, which is the same for every process of this checkout.

    The path of a unix socket has at most 107 characters, so a long DATA_DIR gets a short path elsewhere.
    """
    socket = DATA_DIR / "redis.sock"
    if len(os.fsencode(socket)) <= 100:
        return socket
    digest = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"orderly-{os.getuid()}-{digest}" / "redis.sock"


BUNDLED_REDIS_SOCKET = bundled_redis_socket()
BUNDLED_BROKER_URL = f"redis+socket://{BUNDLED_REDIS_SOCKET}"
# The broker, which carries bells: redis://, rediss://, redis+socket://, amqp:// or amqps://. The default is the Redis
# that `manage.py up` starts, on a socket in DATA_DIR.
BROKER_URL: str = env.str("BROKER_URL", default=BUNDLED_BROKER_URL)
if urlsplit(BROKER_URL).scheme not in ("redis", "rediss", "redis+socket", "amqp", "amqps"):
    raise ImproperlyConfigured("BROKER_URL must begin with redis://, rediss://, redis+socket://, amqp:// or amqps://.")

# The database: postgres://user:password@host:5432/name, with options such as ?sslmode=verify-full. The default is
# SQLite, for one machine.
DATABASE_URL: str = env.str("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'orderly.sqlite3'}")
if urlsplit(DATABASE_URL).scheme not in ("sqlite", "postgres", "postgresql"):
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite:///.")
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url_config(DATABASE_URL)}
# Persistent connections, checked once per request. The pool of psycopg excludes them, and a worker or a web thread uses
# one connection at a time anyway. On SQLite too: opening its file takes longer than handling an order.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"].setdefault("OPTIONS", {})
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # SQLite creates its file, but not the directory.
    Path(DATABASES["default"]["NAME"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] |= {
        # Otherwise a transaction that reads first and writes later fails on a lock at once, without the timeout.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a commit survives a power cut, as on PostgreSQL.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    # Tests of several processes need a database in a file.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # A vanished peer is noticed within 30 seconds instead of two hours.
    DATABASES["default"]["OPTIONS"] |= {
        # Uses before psycopg prepares a statement of project/sql.py; those of Django's ORM never are.
        "prepare_threshold": 5,
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }

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

# The mail server, such as smtp+tls://user:password@host:587. The default writes mails to files.
EMAIL_URL: str = env.str("EMAIL_URL", default=f"filemail:///{DATA_DIR / 'mail'}")
_email: dict[str, Any] = env.email_url_config(EMAIL_URL) | {"EMAIL_TIMEOUT": 10}
if django.VERSION < (6, 1):
    vars().update(_email)
else:
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
# The sender of mails; its domain is that of their Message-IDs.
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="orders@example.org")

# The SKU of the product in a new user's welcome order; if it is empty, there is no welcome order. Add the product
# first: until it exists, each new user's delivery fails, and is a dead letter after eight attempts. `make run` sets
# WELCOME.
WELCOME_SKU: str = env.str("WELCOME_SKU", default="")

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_standardized_errors",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "project.bus",
    "project.console",
    "project.demo",
    "users",
    "orders",
    "inventory",
]

MIDDLEWARE = [
    "project.api.problems.problem_documents",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.api.body_limit.limit_body",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # These templates take precedence over an app's own.
        "DIRS": [BASE_DIR / "project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_USER_MODEL = "users.User"
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

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
# Static files are served from the packages, so there is no collectstatic.
WHITENOISE_USE_FINDERS = True

# The largest body in bytes, for the API and for forms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["project.api.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["project.api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "project.api.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["project.api.filters.FilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "project.api.schema.Schema",
    # Per address; see project/api/throttles.py.
    "DEFAULT_THROTTLE_RATES": {"login": "60/min", "register": "60/min"},
    "NUM_PROXIES": NUM_PROXIES,
    # There is one format, so no parameter selects it.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "project.api.problems.exception_handler",
    # The errors of a list contain only the wrong items; the older form has empty entries for the others.
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orderly",
    "DESCRIPTION": "Orders and stock. Errors are problem documents (RFC 9457), lists are cursor pages, newest first.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Swagger UI from the files of drf-spectacular-sidecar, and no badge of an external validator.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"OrderStatus": "orders.models.Status"},
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    # Changing the password revokes its tokens.
    "CHECK_REVOKE_TOKEN": True,
}

LOGIN_REDIRECT_URL = "admin:index"
# ISO dates with seconds, which are easy to compare.
FORMAT_MODULE_PATH = "project.formats"

if not DEBUG:
    SECURE_CONTENT_TYPE_NOSNIFF = True
    SECURE_REFERRER_POLICY = "same-origin"
    # Whether cookies are sent over HTTPS only; ignored with DEBUG. Turn it off only where HTTPS is not available.
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=True)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # The lowest level that is logged to stderr: DEBUG, INFO, WARNING or ERROR.
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # The web server logs requests.
    "loggers": {
        "httpx": {"level": "WARNING"},
        # Django's own handlers would print each line twice.
        "django": {"handlers": []},
        # These log two lines for every bell.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
