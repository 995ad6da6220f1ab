"""System checks of settings that are unsafe in production.

`manage.py check --deploy` shows what they find. Web servers, workers and `manage.py up` run them when they start, and
refuse to start with an error, but not with a warning. Other commands, such as migrate, do not run them.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.checks import ERROR, CheckMessage, Error, Tags, register, run_checks
from django.core.checks import Warning as CheckWarning

#: The tag of these checks: `manage.py check --deploy --tag production`.
PRODUCTION = "production"

DEVELOPMENT_HINT = "On your own machine, set DEBUG=1 instead."


MAKE_SECRET = "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"  # noqa: S105 - a command
MIN_SECRET_LENGTH = 50
MIN_DIFFERENT_CHARACTERS = 10
MIN_PASSWORD_LENGTH = 12
LOCAL_HOSTS = {"localhost", "::1", None}


def weakness(secret: str) -> str | None:
    """Return what makes a secret easy to guess, if anything does."""
    if secret == settings.DEFAULT_SECRET_KEY or secret.startswith("django-insecure-"):
        return "is the default, which everybody knows"
    if len(secret) < MIN_SECRET_LENGTH:
        return f"has fewer than {MIN_SECRET_LENGTH} characters"
    if len(set(secret)) < MIN_DIFFERENT_CHARACTERS:
        return f"has fewer than {MIN_DIFFERENT_CHARACTERS} different characters"
    # Of random characters, nearly all pieces differ; of a pattern, there are as many as it is long.
    pieces = {secret[start : start + 3] for start in range(len(secret) - 2)}
    if len(pieces) < 0.6 * min(len(secret), 100):
        return "repeats itself"
    return None


@register(PRODUCTION, Tags.security, deploy=True)
def check_secrets(**_: Any) -> list[CheckMessage]:
    if settings.DEBUG:
        return []
    secrets = [("SECRET_KEY", settings.SECRET_KEY)]
    secrets += [("SECRET_KEY_FALLBACKS", secret) for secret in settings.SECRET_KEY_FALLBACKS]
    secrets += [("TOKEN_KEY", settings.TOKEN_KEY)] if settings.TOKEN_KEY else []
    secrets += [("TOKEN_KEY_FALLBACKS", secret) for secret in settings.TOKEN_KEY_FALLBACKS]
    found = [(name, weak) for name, secret in secrets if (weak := weakness(secret))]
    if settings.TOKEN_KEY in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        found.append(("TOKEN_KEY", "is the same as SECRET_KEY or one of its fallbacks"))
    hint = f"Set it to {MIN_SECRET_LENGTH} random characters: {MAKE_SECRET}. {DEVELOPMENT_HINT}"
    return [Error(f"{name} {weak}.", hint=hint, id="orderly.E001") for name, weak in found]


@register(PRODUCTION, Tags.security, deploy=True)
def check_passwords(**_: Any) -> list[CheckMessage]:
    if settings.DEBUG:
        return []
    # Celery takes several brokers with semicolons between them.
    urls = [("BROKER_URL", url) for url in settings.BROKER_URL.split(";")] + [("CACHE_URL", settings.CACHE_URL)]
    found = dict.fromkeys((name, weak) for name, url in urls if (weak := weak_password(url)))
    hint = "Create a user there with a long random password, and put its name and password into {}. " + DEVELOPMENT_HINT
    return [Error(f"{name} {weak}.", hint=hint.format(name), id="orderly.E002") for name, weak in found]


def weak_password(url: str) -> str | None:
    """Return what is wrong with the password of a broker or cache, if anything is."""
    parts = urlsplit(url)
    password = unquote(parts.password or "")
    if parts.scheme.startswith("amqp") and password in ("", "guest"):
        return "uses RabbitMQ's guest password, which everybody knows"
    if is_local(parts.hostname):
        return None
    if not password:
        return "has no password, and the server is on another machine"
    if len(password) < MIN_PASSWORD_LENGTH:
        return f"has a password of fewer than {MIN_PASSWORD_LENGTH} characters"
    return None


def is_local(host: str | None) -> bool:
    """Whether a host is the machine itself."""
    return host in LOCAL_HOSTS or str(host).startswith("127.")


@register(PRODUCTION, Tags.security, deploy=True)
def check_links(**_: Any) -> list[CheckMessage]:
    if settings.DEBUG or not settings.CONFIRM_EMAIL or not is_local(urlsplit(settings.SITE_URL).hostname):
        return []
    hint = f"Set it to the address at which people reach the web server: https://shop.example.org. {DEVELOPMENT_HINT}"
    return [
        CheckWarning("SITE_URL is this machine, so nobody can open the link in a mail.", hint=hint, id="orderly.W001")
    ]


def production_errors() -> list[str]:
    """Return one line for each unsafe setting, with its remedy. Needs the settings only, and no django.setup()."""
    found = run_checks(tags=[PRODUCTION], include_deployment_checks=True)
    return [f"{error.id}: {error.msg} {error.hint}" for error in found if error.level >= ERROR]


def exit_if_unsafe() -> None:
    """End this process with the errors if a setting is unsafe in production.

    Raises:
        SystemExit: with one line for each unsafe setting. Celery logs any other exception and goes on.
    """
    if errors := production_errors():
        raise SystemExit("\n".join(errors))
