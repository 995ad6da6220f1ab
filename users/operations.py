"""What can be done with accounts, and what their owners are told by e-mail."""

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from smtplib import SMTPRecipientsRefused, SMTPResponseException
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction

from project.api.errors import FieldError, InvalidInput
from project.bus.outbox import publish
from project.events import UserCreated
from users.models import User


class InvalidUser(InvalidInput):
    """An account cannot be like that."""


class MailRefused(RuntimeError):
    """The mail server does not take mail for a user. Names the user by id: addresses stay out of logs."""


def register_user(*, email: str, password: str | None, name: str = "") -> User:
    """Make an account; without a password nobody can log in to it. The model's signal publishes UserCreated.

    Raises:
        InvalidUser: a field is wrong, the address has an account already, or the password is too weak.
    """
    draft = User(email=email, name=name)
    errors = list(field_errors(draft))
    if password is not None:
        try:
            validate_password(password, draft)
        except ValidationError as error:
            errors += described("password", error)
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
    """See that each address has an account, set-wise; new ones get the name and no password.

    Args:
        names: by e-mail address, in lower case.

    Returns:
        The accounts by address; those that were there already are as they were.

    Raises:
        InvalidUser: an address or a name is wrong; no account was made.
    """
    known = User.objects.in_bulk(list(names), field_name="email")
    drafts = [User(email=email, name=name) for email, name in names.items() if email not in known]
    for draft in drafts:
        draft.set_unusable_password()
        if errors := list(field_errors(draft)):
            raise InvalidUser(*errors)
    # Somebody else may register one of the addresses meanwhile: theirs stands, and they announce it.
    User.objects.bulk_create(drafts, ignore_conflicts=True)
    accounts = known | User.objects.in_bulk([draft.email for draft in drafts], field_name="email")
    # bulk_create() sends no signal, so what the signal does for one account is done here for all.
    publish(*(UserCreated(user_id=draft.pk) for draft in drafts if accounts[draft.email].pk == draft.pk))
    return accounts


def rename_user(*, user_id: UUID, name: str) -> User:
    """Change the name that an account's owner is addressed by.

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


def field_errors(user: User) -> Iterator[FieldError]:
    """What is wrong with the single fields of an account."""
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        for field, problems in error.error_dict.items():
            for problem in problems:
                yield from described("body" if field == NON_FIELD_ERRORS else field, problem)


def described(field: str, error: ValidationError) -> list[FieldError]:
    """Django's way of saying what is wrong with a field, in ours."""
    return [
        FieldError(field=field, code=problem.code or "invalid", detail=" ".join(problem.messages))
        for problem in error.error_list
    ]


def welcome(*, user_id: UUID, key: str) -> None:
    """Greet a new user."""
    send(user_id=user_id, key=key, subject="Welcome to Orderly", text="Your account is ready: you can order now.")


def tell_of_confirmation(*, user_id: UUID, order_id: UUID, key: str) -> None:
    """Tell a customer that an order will be met."""
    text = f"Your order {order_id} is confirmed: everything in it is reserved for you."
    send(user_id=user_id, key=key, subject="Your order is confirmed", text=text)


def tell_of_rejection(*, user_id: UUID, order_id: UUID, reason: str, key: str) -> None:
    """Tell a customer that an order cannot be met, and why."""
    text = f"We are sorry: your order {order_id} cannot be met.\n\nReason: {reason}"
    send(user_id=user_id, key=key, subject="Your order cannot be met", text=text)


def tell_of_cancellation(*, user_id: UUID, order_id: UUID, reason: str, key: str) -> None:
    """Tell a customer that an order was called off, and why."""
    text = f"Your order {order_id} was cancelled." + (f"\n\nReason: {reason}" if reason else "")
    send(user_id=user_id, key=key, subject="Your order was cancelled", text=text)


def send(*, user_id: UUID, key: str, subject: str, text: str) -> None:
    """Send one e-mail to a user; nobody is there any more, nothing to send.

    Args:
        key: the same at every repeat, so that a mail server or client can recognise one by its Message-ID.

    Raises:
        MailRefused: the mail server does not take the address or the mail.
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
    # What a server answers often repeats the address, and a failure's traceback is stored.
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        codes = ", ".join(str(code) for code, _ in error.recipients.values())
        raise MailRefused(f"the mail server refused the address of user {user_id} (SMTP {codes})") from None
    except SMTPResponseException as error:
        raise MailRefused(f"the mail server refused a mail to user {user_id} (SMTP {error.smtp_code})") from None
