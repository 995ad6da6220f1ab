"""System checks of settings that are unsafe in production.

`manage.py check --deploy` shows what they find. Web servers, workers and `manage.py up` run them when they start, and
refuse to start with an error. Other commands, such as migrate, do not run them.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks

#: The tag of these checks: `manage.py check --deploy --tag production`.
PRODUCTION = "production"

DEVELOPMENT_HINT = "On your own machine, set DEBUG=1 instead."


@register(PRODUCTION, Tags.security, deploy=True)
def check_secret_key(**_: Any) -> list[CheckMessage]:
    if settings.DEBUG or settings.SECRET_KEY != settings.DEFAULT_SECRET_KEY:
        return []
    return [
        Error(
            "SECRET_KEY is the default, which everybody knows.",
            hint=f"Set it to 50 random characters. {DEVELOPMENT_HINT}",
            id="orderly.E001",
        )
    ]


@register(PRODUCTION, Tags.security, deploy=True)
def check_broker_password(**_: Any) -> list[CheckMessage]:
    broker = urlsplit(settings.BROKER_URL)
    if settings.DEBUG or not broker.scheme.startswith("amqp") or broker.password not in (None, "guest"):
        return []
    return [
        Error(
            "BROKER_URL uses RabbitMQ's guest password, which everybody knows.",
            hint=f"Create a user in RabbitMQ and put its name and password into BROKER_URL. {DEVELOPMENT_HINT}",
            id="orderly.E002",
        )
    ]


def production_errors() -> list[str]:
    """Return one line for each unsafe setting, with its remedy. Needs the settings only, and no django.setup()."""
    found = run_checks(tags=[PRODUCTION], include_deployment_checks=True)
    return [f"{error.id}: {error.msg} {error.hint}" for error in found]


def exit_if_unsafe() -> None:
    """End this process with the errors if a setting is unsafe in production.

    Raises:
        SystemExit: with one line for each unsafe setting. Celery logs any other exception and goes on.
    """
    if errors := production_errors():
        raise SystemExit("\n".join(errors))
