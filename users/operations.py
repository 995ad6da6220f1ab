"""The operations on accounts, and the e-mails to their owners."""

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction

from project.bus import publish
from project.errors import FieldError, InvalidInput
from project.events import UserCreated
from users.models import User


class InvalidUser(InvalidInput):
    """The account is not valid; `errors` names each wrong field."""


class MailRefused(RuntimeError):
    """The mail server refuses mail for a user. The message has the user's id: addresses stay out of logs."""


def register_user(*, email: str, password: str | None, name: str = "") -> User:
    """Create an account and, by the model's signal, publish UserCreated.

    Args:
        password: with None, nobody can log in to the account.

    Example:
        register_user(email="ines@example.org", password=None, name="Inês")

    Raises:
        InvalidUser: a field is wrong, the address already has an account, or the password is too weak.
    """
    draft = User(email=email, name=name)
    errors = list(field_errors(draft))
    if password is not None:
        try:
            validate_password(password, draft)
        except ValidationError as error:
            errors += to_field_errors("password", error)
    if errors:
        raise InvalidUser(*errors)
    try:
        return User.objects.create_user(email, password, name=name)
    except IntegrityError:
        if not User.objects.filter(email=email).exists():
            raise
    detail = "This e-mail has an account already. Log in with it, or register another."
    raise InvalidUser(FieldError(field="email", code="unique", detail=detail))


@transaction.atomic
def register_customers(*, names: Mapping[str, str]) -> dict[str, User]:
    """Create an account without a password for each address that has none, in a fixed number of statements.

    Args:
        names: the name for a new account, by e-mail address in lower case.

    Returns:
        The accounts by address. Existing ones are unchanged.

    Raises:
        InvalidUser: an address or a name is wrong; no account is created.
    """
    known = User.objects.in_bulk(list(names), field_name="email")
    drafts = [User(email=email, name=name) for email, name in names.items() if email not in known]
    for draft in drafts:
        draft.set_unusable_password()
        if errors := list(field_errors(draft)):
            raise InvalidUser(*errors)
    # Another transaction may register one of the addresses meanwhile. That account stays, and was announced there.
    User.objects.bulk_create(drafts, ignore_conflicts=True)
    accounts = known | User.objects.in_bulk([draft.email for draft in drafts], field_name="email")
    # bulk_create() sends no signal, so the events are published here.
    publish(*(UserCreated(user_id=draft.pk) for draft in drafts if accounts[draft.email].pk == draft.pk))
    return accounts


def rename_user(*, user_id: UUID, name: str) -> User:
    """Change the name of an account's owner.

    Raises:
        InvalidUser: the name is too long.
    """
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user_id)
        user.name = name
        if errors := list(field_errors(user)):
            raise InvalidUser(*errors)
        user.save(update_fields=["name"])
    return user


def change_password(*, user_id: UUID, password: str) -> User:
    """Change the password of an account, which ends all its sessions and tokens.

    Raises:
        InvalidUser: the password is too weak.
    """
    user = User.objects.get(pk=user_id)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidUser(*to_field_errors("new_password", error)) from error
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def field_errors(user: User) -> Iterator[FieldError]:
    """Validate the fields of an account, one by one."""
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        for field, problems in error.error_dict.items():
            for problem in problems:
                yield from to_field_errors("body" if field == NON_FIELD_ERRORS else field, problem)


def to_field_errors(field: str, error: ValidationError) -> list[FieldError]:
    """Convert Django's validation error of one field."""
    return [
        FieldError(field=field, code=problem.code or "invalid", detail=" ".join(problem.messages))
        for problem in error.error_list
    ]


def send_welcome_email(*, user_id: UUID, key: str) -> None:
    send_email(user_id=user_id, key=key, subject="Welcome to Orderly", text="Your account is ready: you can order now.")


def send_confirmation_email(*, user_id: UUID, order_id: UUID, key: str) -> None:
    text = f"Your order {order_id} is confirmed: everything in it is reserved for you."
    send_email(user_id=user_id, key=key, subject="Your order is confirmed", text=text)


def send_rejection_email(*, user_id: UUID, order_id: UUID, reason: str, key: str) -> None:
    text = f"We are sorry: your order {order_id} cannot be fulfilled.\n\nReason: {reason}"
    send_email(user_id=user_id, key=key, subject="Your order cannot be fulfilled", text=text)


def send_cancellation_email(*, user_id: UUID, order_id: UUID, reason: str, key: str) -> None:
    text = f"Your order {order_id} was cancelled." + (f"\n\nReason: {reason}" if reason else "")
    send_email(user_id=user_id, key=key, subject="Your order was cancelled", text=text)


def send_email(*, user_id: UUID, key: str, subject: str, text: str) -> None:
    """Send one e-mail to a user; do nothing if the account no longer exists.

    Args:
        key: becomes the Message-ID. It is the same at every retry, so that mail programs recognise a duplicate.

    Raises:
        MailRefused: the mail server refuses the address or the mail.
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    message = EmailMessage(
        subject=subject,
        body=f"Hello{f' {user.name}' if user.name else ''},\n\n{text}\n",
        to=[user.email],
        headers={"Message-ID": f"<{key}@{domain}>"},
    )
    # The server's answer often has the address in it, and the traceback of a failure is stored.
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        codes = ", ".join(str(code) for code, _ in error.recipients.values())
        raise MailRefused(f"the mail server refused the address of user {user_id} (SMTP {codes})") from None
    except SMTPResponseException as error:
        raise MailRefused(f"the mail server refused a mail to user {user_id} (SMTP {error.smtp_code})") from None
