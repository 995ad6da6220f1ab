"""System checks of settings that are unsafe in production.

`manage.py check --deploy` shows what they find. Web servers, workers and `manage.py up` run them when they start, and
refuse to start with an error, but not with a warning. Other commands, such as migrate, do not run them.
"""

import re
from ipaddress import ip_address
from itertools import pairwise
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
LOCAL_HOSTS = {"localhost", None}
#: Characters in the sequence of the alphabet and of keyboards; a run may also go backwards.
SEQUENCES = (
    *("abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "!@#$%^&*()"),
    *("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm"),
)
FOLLOWERS = {pair for one in SEQUENCES for each in (one, one[::-1]) for pair in pairwise(each)}
#: Words of examples that were to be replaced. Among random characters they are all but impossible.
PLACEHOLDER = re.compile(r"replace|change.?me|random|secret|password|example|placeholder|characters", re.IGNORECASE)


def weakness(secret: str) -> str | None:
    """Return what makes a secret easy to guess, if anything does."""
    lower = secret.lower()
    # Of random characters, nearly all pieces differ; of a pattern, there are as many as it is long.
    pieces = {secret[start : start + 3] for start in range(len(secret) - 2)}
    found = {
        "is the default, which everybody knows": settings.DEFAULT_SECRET_KEY in secret or "django-insecure-" in secret,
        f"has fewer than {MIN_SECRET_LENGTH} characters": len(secret) < MIN_SECRET_LENGTH,
        f"has fewer than {MIN_DIFFERENT_CHARACTERS} different characters": len(set(secret)) < MIN_DIFFERENT_CHARACTERS,
        "has blanks in it, which random characters have not": re.search(r"\s", secret),
        "has the words of an example in it": PLACEHOLDER.search(secret),
        "follows the alphabet or the keyboard": is_run(lower) or is_run(re.sub(r"[\W_]", "", lower)),
        "repeats itself": len(pieces) < 0.6 * min(len(secret), 100),
    }
    return next((weak for weak, holds in found.items() if holds), None)


def is_run(text: str) -> bool:
    """Whether more than half of the characters continue a run."""
    return sum(one == other or (one, other) in FOLLOWERS for one, other in pairwise(text)) > len(text) / 2


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
    try:
        return host in LOCAL_HOSTS or ip_address(str(host)).is_loopback
    except ValueError:  # a name, such as 127.example.org
        return False


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
