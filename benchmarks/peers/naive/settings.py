"""Settings of a small Django project."""

import environ

env = environ.Env()

TUNED = env.bool("PEER_TUNED", default=True)
OUTBOX = env.bool("PEER_OUTBOX", default=False)

SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "benchmarks.peers.naive.urls"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "benchmarks.peers.naive",
    *(["django_celery_outbox"] if OUTBOX else []),
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
}
CELERY_OUTBOX_APP = "benchmarks.peers.naive.celery.app"
MONITORING_METRICS_ENABLED = False  # of the outbox package: a datagram for each message, which nothing receives

DATABASES = {"default": env.db_url("DATABASE_URL")}
SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
if SQLITE:
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
else:
    # As in the sessions of our workers.
    DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c random_page_cost=1.1"
if TUNED:
    DATABASES["default"]["CONN_MAX_AGE"] = 60

vars().update(env.email_url("EMAIL_URL", default="dummymail://"))
DEFAULT_FROM_EMAIL = "orders@example.org"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "locks": {"()": "django.utils.log.CallbackFilter", "callback": lambda line: "locked" in line.getMessage()}
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # Without the line for each task that is received and done, as in ours. On SQLite, retries show locks.
    "loggers": {
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "INFO", "filters": ["locks"]} if SQLITE else {"level": "WARNING"},
    },
}
