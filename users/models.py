"""Accounts, whose login is the e-mail address."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils import timezone
from uuid_utils.compat import uuid7

from project.audit.recording import AuditedQuerySet


class LowerCaseEmailField(models.EmailField):  # type: ignore[type-arg]
    """Stores and compares addresses in lower case, so that two spellings of one address are equal."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return value.strip().lower() if isinstance(value, str) else value

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
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})


class User(AbstractBaseUser, PermissionsMixin):
    """An account of a customer or a member of staff."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = LowerCaseEmailField("e-mail", unique=True, error_messages={"unique": "This e-mail has an account already."})
    name = models.CharField(max_length=150, blank=True)
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

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the account in the transaction in which its signal publishes the event.

        In autocommit mode a plain save() commits before it sends post_save: a crash in between would lose the event.
        """
        with transaction.atomic(using=kwargs.get("using")):
            super().save(*args, **kwargs)
