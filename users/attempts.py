"""Failed log-ins, counted by account and by address, with lock-outs that grow.

An attempt is counted before the password is checked, and taken back when the password was right. So of any number of
attempts at the same time, in all processes, no more passwords are checked than the limit allows.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.utils import timezone
from django.utils.crypto import salted_hmac

from project.audit.recording import record
from project.errors import TooManyAttempts
from users.addresses import normalize
from users.models import LogInAttempts, User

logger = logging.getLogger(__name__)

#: The seconds of the first lock-out; each further failure doubles them.
FIRST_LOCK_S = 60
LONGEST_LOCK_S = 3600
#: How many expired rows are removed when one is added, so that there are never many.
REMOVED_AT_ONCE = 100
LOCKED = "Too many failed log-ins to this account or from this address."


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How many failures lock a subject out, and after which time without a lock-out they are forgotten."""

    name: str
    failures: int
    window: timedelta

    def key(self, subject: str) -> str:
        """Return the key of the row, from which neither address nor account can be read."""
        return salted_hmac("users.attempts", f"{self.name}:{subject}", algorithm="sha256").hexdigest()

    def lock(self, failures: int) -> timedelta:
        """Return the time that a number of failures locks a subject out."""
        doublings = min(failures - self.failures, 16)
        return timedelta(seconds=min(FIRST_LOCK_S * 2**doublings, LONGEST_LOCK_S))


ACCOUNT = Limit(name="account", failures=10, window=timedelta(days=1))
ADDRESS = Limit(name="address", failures=50, window=timedelta(hours=1))


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A subject, and the number of its failures with this attempt."""

    limit: Limit
    key: str
    failures: int


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt that was counted as a failure."""

    counts: Sequence[Counted]

    def failed(self) -> None:
        for count in self.counts:
            if count.failures >= count.limit.failures:
                seconds = count.limit.lock(count.failures).total_seconds()
                logger.warning(
                    "an %s is locked out for %.0f s after %d failed log-ins", count.limit.name, seconds, count.failures
                )

    def succeeded(self) -> None:
        """Forget the failures of the account. Those of the address stay: else one good account resets it."""
        with transaction.atomic():
            for count in self.counts:
                if count.limit is ACCOUNT:
                    forget(count.key)
                else:
                    take_back(count)

    def was_not_checked(self) -> None:
        with transaction.atomic():
            for count in self.counts:
                take_back(count)


def begin(*, email: str, address: str | None) -> Attempt:
    """Count an attempt to log in, and commit the count.

    Args:
        address: of the client; with None, only the account is counted.

    Raises:
        TooManyAttempts: the account or the address is locked out; nothing was counted.
    """
    # Always in this sequence, so that no two attempts wait for each other.
    subjects = [(ADDRESS, address)] if address is not None else []
    subjects.append((ACCOUNT, normalize(email)))
    with transaction.atomic(durable=True):
        return Attempt(counts=[add(limit, limit.key(subject)) for limit, subject in subjects])


def add(limit: Limit, key: str) -> Counted:
    """Count one more failure in the present transaction, in which nobody else can count it.

    Raises:
        TooManyAttempts: it is locked out.
    """
    rows = LogInAttempts.objects.select_for_update()
    row, is_new = rows.get_or_create(key=key, defaults={"expires_at": timezone.now() + limit.window})
    now = timezone.now()
    if row.locked_until and row.locked_until > now:
        raise TooManyAttempts(LOCKED, wait=math.ceil((row.locked_until - now).total_seconds()))
    if row.expires_at <= now:
        row.failures, row.expires_at = 0, now + limit.window
    row.failures += 1
    if row.failures >= limit.failures:
        row.locked_until = now + limit.lock(row.failures)
        row.expires_at = row.locked_until + limit.window
    row.save()
    if is_new:
        remove_expired(now)
    return Counted(limit=limit, key=key, failures=row.failures)


def take_back(count: Counted) -> None:
    """Subtract a failure that was none, with the lock-out that it caused."""
    no_longer_locked = Q(failures__lte=count.limit.failures) | Q(failures=count.failures)
    LogInAttempts.objects.filter(key=count.key, failures__gt=0).update(
        failures=F("failures") - 1, locked_until=Case(When(no_longer_locked, then=Value(None)), default="locked_until")
    )


def remove_expired(now: datetime) -> None:
    expired = LogInAttempts.objects.select_for_update(skip_locked=True).filter(expires_at__lt=now)
    LogInAttempts.objects.filter(pk__in=list(expired.values_list("pk", flat=True)[:REMOVED_AT_ONCE])).delete()


def locked_until(email: str) -> datetime | None:
    """Return the end of an account's lock-out, if there is one."""
    row = LogInAttempts.objects.filter(key=ACCOUNT.key(normalize(email)), locked_until__gt=timezone.now()).first()
    return row.locked_until if row else None


def unlock(user: User) -> bool:
    """Forget the failed log-ins of an account on behalf of staff; return whether there were any."""
    with transaction.atomic():
        unlocked = forget(ACCOUNT.key(normalize(user.email)))
        if unlocked:
            record(user, {"lock_out": "cleared by staff"})
    return unlocked


def forget(key: str) -> bool:
    # The row stays until it expires: a row that comes and goes would race with those who count in it.
    return bool(LogInAttempts.objects.filter(key=key, failures__gt=0).update(failures=0, locked_until=None))
