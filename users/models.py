"""Accounts, whose login is the e-mail address."""

from collections.abc import Collection
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models import Value
from django.db.models.functions import Lower, Now
from django.utils import timezone
from uuid_utils.compat import uuid7

from project.audit.recording import AuditedQuerySet
from users.addresses import MAX_NAME_LENGTH, normalize, validate_address, validate_name


class LowerCaseEmailField(models.EmailField):  # type: ignore[type-arg]
    """Stores and compares addresses in their normal form, so that all spellings of one address are equal."""

    default_validators = [validate_address]

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalize(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return self.to_python(super().get_prep_value(value))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Also set the stored value on the instance."""
        value = self.to_python(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, value)
        return value


class UserManager(BaseUserManager["User"]):
    """Creates accounts with save(), whose signal publishes UserCreated."""

    use_in_migrations = True

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the account with an address, however it is spelled.

        Accounts from before addresses were normalised keep their spelling, and are found by it. One query in every
        case, so that its time does not tell them apart.

        Raises:
            User.DoesNotExist: no account has it.
        """
        typed = (username or "").strip().lower()
        as_typed = Value(typed, output_field=models.CharField())
        found = {user.email: user for user in self.filter(models.Q(email=as_typed) | models.Q(email=typed))}
        user = found.get(typed) or found.get(normalize(typed))
        if user is None:
            raise self.model.DoesNotExist
        return user

    def get_queryset(self) -> AuditedQuerySet["User"]:
        return AuditedQuerySet(self.model, using=self._db)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an account. Without a password nobody can log in to it."""
        if not email:
            raise ValueError("an account needs an e-mail address")
        user = self.model(email=email, **fields)
        # Hashing is slow, so it comes before save() opens a transaction.
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an account with all permissions. Its address counts as confirmed: its creator vouches for it."""
        granted = {"is_staff": True, "is_superuser": True, "email_confirmed_at": timezone.now()}
        return self.create_user(email, password, **granted | fields)


#: What an account logs in with, and whether it may: a change of these ends its sessions.
ACCESS = ("email", "password", "is_active")


class User(AbstractBaseUser, PermissionsMixin):
    """An account of a customer or a member of staff."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = LowerCaseEmailField("e-mail", unique=True, error_messages={"unique": "This e-mail has an account already."})
    email_confirmed_at = models.DateTimeField(
        "address confirmed",
        null=True,
        editable=False,
        help_text="Until its owner confirms the address, it gets no mail but the one that asks for this.",
    )
    name = models.CharField(max_length=MAX_NAME_LENGTH, blank=True, validators=[validate_name])
    is_active = models.BooleanField("active", default=True, help_text="Take this away instead of deleting an account.")
    is_staff = models.BooleanField("staff", default=False, help_text="May log in to this admin.")
    date_joined = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")),
                name="users_user_email_lower_case",
                violation_error_message="An e-mail address is stored in lower case.",
            ),
        )
        # For the lists of staff and of inactive accounts. Migration 0002 adds an index on the words of names.
        indexes = (
            models.Index(fields=["id"], condition=models.Q(is_staff=True), name="users_user_staff"),
            models.Index(fields=["id"], condition=models.Q(is_active=False), name="users_user_inactive"),
        )

    #: Whether the last save() changed the address; for the signal.
    email_changed = False

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        """Validate the fields. An address that is stored already stays, even if it could not be registered today."""
        if self.stored_email() == self.email:
            exclude = {*(exclude or ()), "email"}
        super().clean_fields(exclude)

    def stored_email(self) -> str | None:
        """Return the address in the database; None for a new account."""
        return self._stored("email").get("email")

    @property
    def may_log_in(self) -> bool:
        """Whether the account is active and, where CONFIRM_EMAIL asks for it, its address is confirmed."""
        return self.is_active and (not settings.CONFIRM_EMAIL or self.email_confirmed_at is not None)

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the account in the transaction in which its signal publishes the event.

        In autocommit mode a plain save() commits before it sends post_save: a crash in between would lose the event.
        A new address is not confirmed.
        """
        written = kwargs.get("update_fields")
        with transaction.atomic(using=kwargs.get("using")):
            stored = self._stored(*(name for name in ACCESS if written is None or name in written))
            self.email_changed = "email" in stored and normalize(stored.pop("email")) != normalize(self.email)
            if self.email_changed:
                self.email_confirmed_at = None
                if written is not None:
                    kwargs["update_fields"] = {*written, "email_confirmed_at"}
            # The password changes or the account is deactivated: as with a new address, its sessions end.
            if self.email_changed or any(value != getattr(self, name) for name, value in stored.items()):
                RefreshSession.objects.end_all(user=self)
            super().save(*args, **kwargs)

    def _stored(self, *names: str) -> dict[str, Any]:
        """Return fields as the database has them; none for a new account."""
        if self._state.adding or not names:
            return {}
        return User.objects.filter(pk=self.pk).values(*names).first() or {}


class MailCount(models.Model):
    """How many mails one mailbox got on one day."""

    recipient = models.CharField(max_length=64, help_text="A keyed hash of the mailbox: no address is stored here.")
    day = models.DateField()
    sent = models.PositiveIntegerField(default=0)
    suppressed = models.PositiveIntegerField(default=0, help_text="Mails over the limit, which were not sent.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=["recipient", "day"], name="users_mailcount_recipient_day"),)
        verbose_name = "mails of a day"
        verbose_name_plural = "mails by day"

    def __str__(self) -> str:
        return f"{self.day}: {self.sent} sent, {self.suppressed} suppressed"


class LogInAttempts(models.Model):
    """Failed log-ins to one account or from one address (users/attempts.py)."""

    #: An HMAC: the table tells no address, and no name that somebody typed.
    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    locked_until = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = verbose_name_plural = "failed log-ins"

    def __str__(self) -> str:
        return f"{self.failures} failed log-ins"


class RefreshSessions(models.Manager["RefreshSession"]):
    """The sessions, of which an account may have several."""

    def end_all(self, *, user: User) -> None:
        self.filter(user=user, ended_at=None).update(ended_at=Now(), reason=RefreshSession.Reason.ACCOUNT)


class RefreshSession(models.Model):
    """The refresh tokens that came of one log-in to the API (users/tokens.py)."""

    class Reason(models.TextChoices):
        """Why a session ended."""

        LOGGED_OUT = "logged_out"
        REUSED = "reused", "a used token was presented again"
        ACCOUNT = "account", "the password or the address changed, or the account was deactivated"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    #: The id of the one token that can be used. Without the key nobody can make a token of it.
    jti = models.CharField(max_length=32)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(db_index=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=20, choices=Reason.choices, blank=True)

    objects: ClassVar[RefreshSessions] = RefreshSessions()

    def __str__(self) -> str:
        return f"session {self.pk}"

    def end(self, reason: Reason) -> None:
        RefreshSession.objects.filter(pk=self.pk, ended_at=None).update(ended_at=Now(), reason=reason)

    @classmethod
    def remove_expired(cls) -> None:
        """Remove some sessions that expired. A new one calls this, so that there are never many."""
        expired = cls.objects.filter(expires_at__lt=timezone.now()).values_list("pk", flat=True)
        cls.objects.filter(pk__in=list(expired[:100])).delete()
