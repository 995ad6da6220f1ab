"""The e-mails to the owners of accounts.

An address that is not confirmed gets one kind of mail, whose text nobody chooses: the one that asks to confirm it. The
only text of a customer's in any mail is the checked name of its recipient.
"""

import logging
from datetime import timedelta
from email.utils import parseaddr
from smtplib import SMTPNotSupportedError, SMTPRecipientsRefused, SMTPResponseException
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from project.bus import PermanentError, TransientError
from users.addresses import Address, is_safe_name, parse_address
from users.confirmation import confirmation_link
from users.models import MailCount, User

logger = logging.getLogger(__name__)

#: How long the counts of a mailbox are kept.
COUNTS_KEPT = timedelta(days=30)
#: SMTP's answers to a recipient that are about the server or the session, not about the recipient: it closes, the
#: commands come in the wrong order, or it wants a log-in.
NOT_ABOUT_THE_RECIPIENT = frozenset({421, 503, 530})


class MailRefused(RuntimeError):
    """The mail server refuses a mail. The message has the user's id: addresses stay out of logs."""


def send_welcome_email(*, user_id: UUID, key: str) -> None:
    """Welcome a new user whose address is confirmed, and ask any other to confirm it."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    if user.email_confirmed_at is None:
        _ask_to_confirm(user, key=key)
    else:
        _send(user, key=key, subject="Welcome to Orderly", text="Your account is ready: you can order now.")


def send_address_check(*, user_id: UUID, key: str) -> None:
    """Ask a user to confirm the address, if it is not confirmed."""
    user = User.objects.filter(pk=user_id, email_confirmed_at=None).first()
    if user is not None:
        _ask_to_confirm(user, key=key)


def send_repetition_notice(*, user_id: UUID, key: str) -> None:
    """Tell a user that somebody registered with the address of the account."""
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    if user.email_confirmed_at is None:
        _ask_to_confirm(user, key=key)
        return
    text = (
        "Somebody registered with your e-mail address. You have an account already, and nothing was changed.\n\n"
        "If it was you, log in. If it was not, you need not do anything."
    )
    limit = settings.MAX_MAILS_PER_DAY_UNCONFIRMED  # anybody can cause it
    _deliver(user, key=key, subject="You have an account already", body=f"Hello,\n\n{text}\n", limit=limit)


def send_confirmation_email(*, user_id: UUID, order_id: UUID, key: str) -> None:
    text = f"Your order {order_id} is confirmed: everything in it is reserved for you."
    _send_to_confirmed(user_id=user_id, key=key, subject="Your order is confirmed", text=text)


def send_rejection_email(*, user_id: UUID, order_id: UUID, reason: str, key: str) -> None:
    text = f"We are sorry: your order {order_id} cannot be fulfilled.\n\nReason: {reason}"
    _send_to_confirmed(user_id=user_id, key=key, subject="Your order cannot be fulfilled", text=text)


def send_cancellation_email(*, user_id: UUID, order_id: UUID, reason: str, key: str) -> None:
    text = f"Your order {order_id} was cancelled." + (f"\n\nReason: {reason}" if reason else "")
    _send_to_confirmed(user_id=user_id, key=key, subject="Your order was cancelled", text=text)


def _send_to_confirmed(*, user_id: UUID, key: str, subject: str, text: str) -> None:
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        return
    if user.email_confirmed_at is None:
        logger.info("user %s gets no mail: the address is not confirmed", user_id)
        return
    _send(user, key=key, subject=subject, text=text)


def _ask_to_confirm(user: User, *, key: str) -> None:
    body = (
        "Hello,\n\nsomebody, probably you, registered at Orderly with this e-mail address. If you did not register, do "
        "nothing. If you did, open this page and enter your password to confirm that the address is yours:\n\n"
        f"{confirmation_link(user)}\n\nThe link works for three days.\n"
    )
    limit = settings.MAX_MAILS_PER_DAY_UNCONFIRMED
    _deliver(user, key=key, subject="Please confirm your e-mail address", body=body, limit=limit)


def _send(user: User, *, key: str, subject: str, text: str) -> None:
    name = f" {user.name}" if is_safe_name(user.name) else ""
    body = f"Hello{name},\n\n{text}\n"
    _deliver(user, key=key, subject=subject, body=body, limit=settings.MAX_MAILS_PER_DAY)


def _deliver(user: User, *, key: str, subject: str, body: str, limit: int) -> None:
    """Send one e-mail, unless its mailbox has had as many today as it may get.

    Args:
        key: becomes the Message-ID. It is the same at every retry, so that mail programs recognise a duplicate.

    Raises:
        PermanentError: the address is at fault, for good.
        TransientError: the address is at fault, for now.
        MailRefused: the mail server refuses the mail.
    """
    try:
        address = parse_address(user.email)
    except ValidationError:
        raise PermanentError(f"the address of user {user.pk} cannot be used") from None
    count = _count(address, limit=limit)
    if count is None:
        logger.warning("user %s gets no mail: the mailbox has reached its limit of this day", user.pk)
        return
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2]
    message = EmailMessage(subject=subject, body=body, to=[address.ascii], headers={"Message-ID": f"<{key}@{domain}>"})
    try:
        _hand_over(message, user_id=user.pk)
    except Exception:
        # It was not sent, so its retry must not count again.
        MailCount.objects.filter(pk=count.pk, sent__gt=0).update(sent=F("sent") - 1)
        raise


def _hand_over(message: EmailMessage, *, user_id: UUID) -> None:
    # The server's answer often has the address in it, and the traceback of a failure is stored: hence `from None`.
    try:
        message.send()
    except SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        detail = f"the mail server refused the address of user {user_id} (SMTP {', '.join(map(str, sorted(codes)))})"
        if codes & NOT_ABOUT_THE_RECIPIENT:
            raise MailRefused(detail) from None
        raise (PermanentError if min(codes) >= 500 else TransientError)(detail) from None
    except SMTPResponseException as error:
        raise MailRefused(f"the mail server refused a mail to user {user_id} (SMTP {error.smtp_code})") from None
    except UnicodeError:
        raise PermanentError(f"a mail to user {user_id} cannot be written as bytes") from None
    except SMTPNotSupportedError as error:
        if "SMTPUTF8" not in str(error):
            raise  # the server lacks a log-in or TLS, for every mail
        raise PermanentError(f"the mail server cannot take the address of user {user_id}") from None


def _count(address: Address, *, limit: int) -> MailCount | None:
    """Count a mail that is to be sent; None if the mailbox has reached the limit, which is counted too."""
    recipient = salted_hmac("users.mail_count", address.mailbox, algorithm="sha256").hexdigest()
    count, is_new = MailCount.objects.get_or_create(recipient=recipient, day=timezone.now().date())
    if is_new:
        MailCount.objects.filter(recipient=recipient, day__lt=count.day - COUNTS_KEPT).delete()
    row = MailCount.objects.filter(pk=count.pk)
    # One statement, so that two workers never send one mail too many.
    if row.filter(sent__lt=limit).update(sent=F("sent") + 1):
        return count
    row.update(suppressed=F("suppressed") + 1)
    return None
