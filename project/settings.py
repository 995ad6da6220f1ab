"""Settings, all in this file, driven by the environment."""

import hashlib
import os
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.Env):  # type: ignore[misc]
    """The environment, which names the variable that it cannot make sense of."""

    def get_value(self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, **options: Any) -> Any:
        """The value of a variable.

        Raises:
            ImproperlyConfigured: it is not what it has to be.
        """
        try:
            return super().get_value(var, cast=cast, default=default, **options)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} is {os.environ.get(var)!r}: {error}.") from error


env = Environment()

# What a machine without services keeps: the SQLite database, the bundled Redis, mails written to files.
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / ".data"))).resolve()
# What `make run` chose for the domain, so that a worker started by hand in another shell decides alike. The environment
# goes before it.
if (DATA_DIR / "env").is_file():
    env.read_env(DATA_DIR / "env")

# For a machine of your own: error pages show their causes, there is a demo admin, and the default SECRET_KEY will do.
DEBUG: bool = env.bool("DEBUG", default=False)
DEFAULT_SECRET_KEY = "only-for-one-machine-and-for-tests-never-for-production"  # noqa: S105 - it is no secret
# Signs sessions and tokens: 50 random characters, the same for every process. Everybody knows the default, so without
# DEBUG the web server refuses it.
SECRET_KEY: str = env.str("SECRET_KEY", default=DEFAULT_SECRET_KEY)
# The host names that the web server answers to.
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
# Origins whose forms are taken, such as https://shop.example.org: for the admin behind a proxy that speaks HTTPS.
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where `manage.py up` serves the web, and where the commands that speak HTTP look for it.
PORT: int = env.int("PORT", default=8000)


def bundled_redis_socket() -> Path:
    """Where the bundled Redis listens: computed alike by every process of this checkout, so that they find it.

    A unix socket's path may have at most 107 characters, so a deep checkout gets a short place of its own.
    """
    socket = DATA_DIR / "redis.sock"
    if len(os.fsencode(socket)) <= 100:
        return socket
    digest = hashlib.sha256(os.fsencode(DATA_DIR)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"orderly-{os.getuid()}-{digest}" / "redis.sock"


BUNDLED_REDIS_SOCKET = bundled_redis_socket()
BUNDLED_BROKER_URL = f"redis+socket://{BUNDLED_REDIS_SOCKET}"
# Where bells are sent: redis://, rediss://, redis+socket://, amqp:// or amqps://. The default is the Redis that
# `manage.py up` starts, on a socket in DATA_DIR.
BROKER_URL: str = env.str("BROKER_URL", default=BUNDLED_BROKER_URL)
if urlsplit(BROKER_URL).scheme not in ("redis", "rediss", "redis+socket", "amqp", "amqps"):
    raise ImproperlyConfigured("BROKER_URL must begin with redis://, rediss://, redis+socket://, amqp:// or amqps://.")

# Where everything is kept: postgres://user:password@host:5432/name, with options such as ?sslmode=verify-full. The
# default is SQLite, for one machine.
DATABASE_URL: str = env.str("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'orderly.sqlite3'}")
if urlsplit(DATABASE_URL).scheme not in ("sqlite", "postgres", "postgresql"):
    raise ImproperlyConfigured("DATABASE_URL must begin with postgres:// or sqlite:///.")
DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url_config(DATABASE_URL)}
# Persistent connections, checked once per request; the pool of psycopg excludes them, and a worker or a web thread uses
# one connection at a time anyway. On SQLite, too: to open its file anew takes longer than to handle an order.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"].setdefault("OPTIONS", {})
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # SQLite makes its file, not the directory.
    Path(DATABASES["default"]["NAME"]).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    DATABASES["default"]["OPTIONS"] |= {
        # A transaction that reads first and writes later fails at once on a lock that no timeout waits for.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # FULL: a commit survives a power cut, as on PostgreSQL.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }
    # Tests of several processes need a database in a file.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # A peer that vanished without a word is noticed within 30 seconds instead of two hours.
    DATABASES["default"]["OPTIONS"] |= {
        # After so many uses the statements of project/bus/sql.py are prepared; those of Django's ORM never are.
        "prepare_threshold": 5,
        "connect_timeout": 5,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 4,
    }

# Where throttles count: redis:// or rediss://. The default counts in each process by itself; while it is down, nobody
# is throttled.
CACHE_URL: str = env.str("CACHE_URL", default="locmemcache://")
CACHES: dict[str, dict[str, Any]] = {"default": env.cache_url_config(CACHE_URL)}
if CACHE_URL.startswith("redis"):
    # A request does not wait for a count.
    CACHES["default"].setdefault("OPTIONS", {}).update({"socket_connect_timeout": 0.2, "socket_timeout": 0.2})
# How many reverse proxies a request passes that add to X-Forwarded-For. With 0 the header is not believed, and who asks
# is who connects.
NUM_PROXIES: int = env.int("NUM_PROXIES", default=0)

# Where mails go, such as smtp+tls://user:password@host:587. The default writes them to files.
EMAIL_URL: str = env.str("EMAIL_URL", default=f"filemail:///{DATA_DIR / 'mail'}")
vars().update(env.email_url_config(EMAIL_URL))
EMAIL_TIMEOUT = 10
# The sender of mails; its domain is that of their Message-IDs.
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="orders@example.org")

# The SKU of the product that greets a new user; none set, no welcome order. Add the product first: until it is there,
# each new user leaves a delivery that fails, and is a dead letter after eight attempts. `make run` sets WELCOME.
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
    "users",
    "orders",
    "inventory",
]

MIDDLEWARE = [
    "project.api.problems.only_problems",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.api.bodies.limit_body",
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
        # What goes before an app's own template of that name.
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
# Static files are served from where the packages keep them: nothing to collect before the first run.
WHITENOISE_USE_FINDERS = True

# No API body is larger than this many bytes, no form either.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["project.api.people.Token"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["project.api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "project.api.pages.Pages",
    "DEFAULT_FILTER_BACKENDS": ["project.api.filters.FilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "project.api.schema.Schema",
    # For one address; project/api/throttles.py says for what.
    "DEFAULT_THROTTLE_RATES": {"login": "60/min", "register": "60/min"},
    "NUM_PROXIES": NUM_PROXIES,
    # There is one format, so no parameter chooses it.
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "project.api.problems.exception_handler",
    # Only the wrong ones of a list's items are in its errors; the older form lists the others too, empty.
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orderly",
    "DESCRIPTION": "Orders and stock. Errors are problem documents (RFC 9457), lists are cursor pages, newest first.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Swagger UI from files of the package drf-spectacular-sidecar, and no badge of a validator elsewhere.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {"OrderStatus": "orders.models.Status"},
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=7),
    # Tokens end with the password that they were given for.
    "CHECK_REVOKE_TOKEN": True,
}

LOGIN_REDIRECT_URL = "admin:index"
# Dates that sort and compare by eye, with seconds; the language's own have neither.
FORMAT_MODULE_PATH = "project.formats"
#: The admin's tables in the order of the menu, each with its icon (https://fonts.google.com/icons).
ADMIN_MENU = {
    "orders.order": "receipt_long",
    "orders.catalogueitem": "menu_book",
    "inventory.product": "sell",
    "inventory.stock": "inventory_2",
    "inventory.movement": "swap_vert",
    "inventory.allocation": "assignment_turned_in",
    "inventory.reservation": "bookmark",
    "inventory.location": "warehouse",
    "users.user": "person",
    "auth.group": "group",
    "bus.event": "bolt",
    "bus.delivery": "pending_actions",
    "bus.receipt": "task_alt",
    "bus.failurecount": "error",
    "bus.failure": "bug_report",
    "bus.refusedmessage": "block",
    "bus.subscription": "hub",
    "bus.auditentry": "history",
}
#: Which of them shows what a field of an event names.
BUS_ADMIN_PAGES = {
    "order_id": "orders_order",
    "customer_id": "users_user",
    "user_id": "users_user",
    "sku": "inventory_product",
}
# An open box. As a data: address, as the browser would ask for /favicon.ico of itself.
ICON = "data:image/svg+xml," + quote(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0f766e"/>'
    '<path d="M7 12l9-5 9 5v9l-9 5-9-5zM7 12l9 5 9-5M16 17v9" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)
UNFOLD = {
    "SITE_TITLE": "Orderly",
    "SITE_HEADER": "Orderly",
    "SITE_SUBHEADER": f"Times are {TIME_ZONE}",
    "SITE_SYMBOL": "deployed_code",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": ICON}],
    "SIDEBAR": {"navigation": "project.api.admin.menu"},
    "LOGIN": {"form": "project.api.login.LogInForm"},
    # Teal; dark enough on white for links (600), light enough on black (500).
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.7)",
            "100": "oklch(95.3% .051 180.8)",
            "200": "oklch(91% .096 180.4)",
            "300": "oklch(85.5% .138 181.1)",
            "400": "oklch(77.7% .152 181.9)",
            "500": "oklch(70.4% .14 182.5)",
            "600": "oklch(51.1% .096 186.4)",
            "700": "oklch(43.7% .078 188.2)",
            "800": "oklch(38.6% .063 188.4)",
            "900": "oklch(32% .055 190)",
            "950": "oklch(27.7% .046 192.5)",
        },
    },
}

if not DEBUG:
    SECURE_CONTENT_TYPE_NOSNIFF = True
    SECURE_REFERRER_POLICY = "same-origin"
    # Whether cookies travel over HTTPS only; without DEBUG. Turn it off only where nothing speaks HTTPS.
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("SECURE_COOKIES", default=True)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    # From which level on something goes to stderr: DEBUG, INFO, WARNING or ERROR.
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    # A request line each is the web server's to write.
    "loggers": {
        "httpx": {"level": "WARNING"},
        # Django's own handlers would print each line a second time.
        "django": {"handlers": []},
        # Two lines for every bell would bury what matters.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}


def reasons_against_production() -> list[str]:
    """What makes these settings unsafe to serve other people with; empty when nothing does, or when DEBUG is on."""
    reasons = []
    if not DEBUG and SECRET_KEY == DEFAULT_SECRET_KEY:
        reasons.append("SECRET_KEY is the default, which everybody knows: set it to 50 random characters")
    broker = urlsplit(BROKER_URL)
    if not DEBUG and broker.scheme.startswith("amqp") and broker.password in (None, "guest"):
        reasons.append("BROKER_URL uses RabbitMQ's guest password: make a user of its own and put it there")
    return reasons


def refuse_unsafe_production() -> None:
    """Stop a server process from starting on unsafe settings.

    Raises:
        ImproperlyConfigured: naming each setting and what to set it to.
    """
    if reasons := reasons_against_production():
        raise ImproperlyConfigured("; ".join(reasons) + ". On a machine of your own, set DEBUG=1 instead.")
