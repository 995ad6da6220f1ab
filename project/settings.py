"""All settings. Environment variables set those that differ between deployments."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.core.exceptions import ImproperlyConfigured

# Django reads all settings from here.
from project.addresses import check_broker, database_config, is_origin
from project.admin_settings import *
from project.api_settings import *
from project.cache_settings import *
from project.environment import BASE_DIR, DATA_DIR, DEBUG, env, existing_directory  # noqa: F401
from project.header_settings import *
from project.limit_settings import *
from project.mail_settings import *
from project.security_settings import *

# The port of the web server of `manage.py up`, which commands that use HTTP connect to.
PORT: int = env.int("PORT", default=8000)
# Where people reach the web server, such as https://shop.example.org: links in mails begin with it.
SITE_URL: str = env.str("SITE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
if "SITE_URL" in os.environ and not is_origin(SITE_URL):
    raise ImproperlyConfigured("SITE_URL must be like https://shop.example.org, without a path.")


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
BUNDLED_BROKER_URL = f"redis+socket://{quote(str(BUNDLED_REDIS_SOCKET))}"
# The broker, which carries bells: redis://, rediss://, redis+socket://, amqp:// or amqps://. The default is the Redis
# that `manage.py up` starts, on a socket in DATA_DIR.
BROKER_URL: str = env.str("BROKER_URL", default=BUNDLED_BROKER_URL)
check_broker(BROKER_URL)

# The database: postgres://user:password@host:5432/name, with options such as ?sslmode=verify-full. The default is
# SQLite, for one machine.
DATABASE_URL: str = env.str("DATABASE_URL", default=f"sqlite:///{quote(str(DATA_DIR / 'orderly.sqlite3'))}")
DATABASES: dict[str, dict[str, Any]] = {"default": database_config(DATABASE_URL)}
# Persistent connections, checked once per request. The pool of psycopg excludes them, and a worker or a web thread uses
# one connection at a time anyway. On SQLite too: opening its file takes longer than handling an order.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"].setdefault("OPTIONS", {})
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    _var = "DATABASE_URL" if "DATABASE_URL" in os.environ else "DATA_DIR"
    existing_directory(_var, Path(DATABASES["default"]["NAME"]).parent)
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

# For how many seconds a web request may wait for one statement of PostgreSQL, locks included. After that it is answered
# 503. Workers and commands have limits of their own.
WEB_STATEMENT_TIMEOUT: int = env.int("WEB_STATEMENT_TIMEOUT", default=10)
if WEB_STATEMENT_TIMEOUT < 1:
    raise ImproperlyConfigured("WEB_STATEMENT_TIMEOUT must be 1 or more. Correct it, or remove it.")

# The SKU of the product in a new user's welcome order; if it is empty, there is no welcome order. The order is placed
# when the user's address is confirmed, or at once without CONFIRM_EMAIL. Add the product first: until it exists, each
# new user's delivery fails, and is a dead letter after eight attempts. `make run` sets WELCOME.
WELCOME_SKU: str = env.str("WELCOME_SKU", default="")

INSTALLED_APPS = [
    # The basic one has no site of its own; project.apps.AdminConfig has ours.
    "unfold.apps.BasicAppConfig",
    "project.apps.AdminConfig",
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
    "project.audit",
    "project.console",
    "project.demo",
    "users",
    "orders",
    "inventory",
]

MIDDLEWARE = [
    "project.api.headers.add_headers",
    "project.api.problems.problem_documents",
    "csp.middleware.CSPMiddleware",
    "project.api.request_limits.limit_requests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "project.api.body_limit.limit_body",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "project.audit.actors.request_in_hand",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "project.api.later.TryLaterPages",
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

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
# Static files are served from the packages, so there is no collectstatic.
WHITENOISE_USE_FINDERS = True

LOGIN_REDIRECT_URL = "admin:index"
# ISO dates with seconds, which are easy to compare.
FORMAT_MODULE_PATH = "project.formats"

# The lowest level that is logged to stderr: DEBUG, INFO, WARNING or ERROR.
LOG_LEVEL: str = env.str("LOG_LEVEL", default="INFO")
if LOG_LEVEL not in ("DEBUG", "INFO", "WARNING", "ERROR"):
    raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"refusals": {"()": "project.refusals.RefusalFilter"}},
    "formatters": {"line": {"()": "project.logs.EscapingFormatter"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
        "refusals": {"class": "project.refusals.RefusalHandler"},
    },
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    # The web server logs requests.
    "loggers": {
        "httpx": {"level": "WARNING"},
        # Django's own handlers would print each line twice.
        "django": {"handlers": []},
        # Django logs each request that it refuses as an error with a traceback, and anybody can send many.
        "django.security": {"handlers": ["refusals"], "propagate": False},
        "django.request": {"filters": ["refusals"]},
        # These log two lines for every bell.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
