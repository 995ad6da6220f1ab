"""The operations on accounts."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from project.bus import publish
from project.errors import FieldError, InvalidInput
from project.events import RegistrationRepeated, UserCreated
from users.addresses import normalize
from users.models import User


class InvalidUser(InvalidInput):
    """The account is not valid; `errors` names each wrong field."""


def register_user(*, email: str, password: str | None, name: str = "", confirmed: bool = False) -> User:
    """Create an account and, by the model's signal, publish UserCreated.

    Args:
        password: with None, nobody can log in to the account.
        confirmed: the caller vouches that the address is its owner's, so it need not be confirmed.

    Example:
        register_user(email="ines@example.org", password=None, name="Inês")

    Raises:
        InvalidUser: a field is wrong, the address already has an account, or the password is too weak.
    """
    draft = valid_draft(email=email, password=password, name=name)
    draft.email_confirmed_at = timezone.now() if confirmed else None
    if not save_new(draft):
        detail = "This e-mail has an account already. Log in with it, or register another."
        raise InvalidUser(FieldError(field="email", code="unique", detail=detail))
    return draft


def sign_up(*, email: str, password: str, name: str = "") -> User:
    """Register a person whom nobody knows, and do not tell whether the address has an account already.

    If it has one, nothing is changed, RegistrationRepeated is published, and the account that is returned is not saved.
    The work is the same, so that its time tells nothing either.

    Raises:
        InvalidUser: a field is wrong, or the password is too weak.
    """
    draft = valid_draft(email=email, password=password, name=name)
    if not save_new(draft):
        owner_id = User.objects.values_list("pk", flat=True).get(email=draft.email)
        with transaction.atomic():
            publish(RegistrationRepeated(user_id=owner_id))
    return draft


def valid_draft(*, email: str, password: str | None, name: str) -> User:
    """Return an account that is not saved, with its password hashed.

    Raises:
        InvalidUser: a field is wrong, or the password is too weak.
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
    # Hashing is slow, so it comes before save() opens a transaction.
    draft.set_password(password)
    return draft


def save_new(draft: User) -> bool:
    """Save a new account. Return False if the address has one already, and save nothing."""
    taken = User.objects.filter(email=draft.email)
    # Asked first: for a failed INSERT PostgreSQL logs the address.
    if taken.exists():
        return False
    try:
        draft.save()
    except IntegrityError:
        if not taken.exists():
            raise
        return False
    return True


@transaction.atomic
def register_customers(*, names: Mapping[str, str]) -> dict[str, User]:
    """Create an account without a password for each address that has none, in a fixed number of statements.

    Their addresses count as confirmed: the operator who runs this vouches for them.

    Args:
        names: the name for a new account, by e-mail address in any spelling.

    Returns:
        The accounts by address, as it was given. Existing ones are unchanged.

    Raises:
        InvalidUser: an address or a name is wrong; no account is created.
    """
    spelled = {email: normalize(email) for email in names}
    wanted = {spelled[email]: name for email, name in names.items()}
    known = User.objects.in_bulk(list(wanted), field_name="email")
    now = timezone.now()
    drafts = [
        User(email=email, name=name, email_confirmed_at=now) for email, name in wanted.items() if email not in known
    ]
    for draft in drafts:
        draft.set_unusable_password()
        if errors := list(field_errors(draft)):
            raise InvalidUser(*errors)
    # Another transaction may register one of the addresses meanwhile. That account stays, and was announced there.
    User.objects.bulk_create(drafts, ignore_conflicts=True)
    accounts = known | User.objects.in_bulk([draft.email for draft in drafts], field_name="email")
    # bulk_create() sends no signal, so the events are published here.
    publish(*(UserCreated(user_id=draft.pk) for draft in drafts if accounts[draft.email].pk == draft.pk))
    return {email: accounts[spelled[email]] for email in names}


def rename_user(*, user_id: UUID, name: str) -> User:
    """Change the name of an account's owner.

    Raises:
        InvalidUser: the name cannot be used.
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
