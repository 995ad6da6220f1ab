"""The rules on who may change whose account and rights. The admin asks them, and so does every write to the tables."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied

from project.audit.actors import acting_account
from project.sql import lock_until_commit
from users.models import User

#: What lets an account do more than order.
RIGHTS = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})
#: Nobody changes these of themselves, so one active superuser always remains.
POWERS = RIGHTS | {"is_active"}
#: A mistyped address would lock out its owner, because a new one is not confirmed. Another superuser changes it.
READ_ONLY_TO_ONESELF = POWERS | {"email"}


def is_privileged(account: User) -> bool:
    """Tell whether an account is that of a superuser or of staff, even if it is suspended and only has its groups."""
    return account.is_staff or account.is_superuser or account.groups.exists() or account.user_permissions.exists()


def may_give_rights(actor: Any) -> bool:
    """Tell whether a person may edit rights and groups: superusers may."""
    return bool(actor.is_active and actor.is_superuser)


def may_edit(actor: Any, account: User) -> bool:
    """Tell whether a person with the permission `users.change_user` may edit an account.

    Superusers edit all of them, others only customers: a person who sets a password or an address can take the account.
    """
    return may_give_rights(actor) or not is_privileged(account)


def read_only_fields(actor: Any, account: User | None) -> frozenset[str]:
    """The fields of an account that a person who may edit it may not."""
    if account is not None and actor.pk == account.pk:
        return READ_ONLY_TO_ONESELF
    return frozenset() if may_give_rights(actor) else RIGHTS


def refuse_rights(account: User, fields: Iterable[str]) -> None:
    """Refuse a change that the person of the request in hand may not make, wherever it comes from.

    Raises:
        PermissionDenied: it is a change of rights or of a privileged account, and that person is no superuser; or they
            change their own rights.
    """
    actor, names = acting_account(), set(fields)
    if actor is None:
        return
    if actor.pk == account.pk:
        if names & POWERS:
            raise PermissionDenied("Nobody changes their own rights.")
    elif names & RIGHTS or (names and _is_privileged_now(account)):
        _refuse_without_rights(actor)


def refuse_group(_group: Group, _fields: Iterable[str]) -> None:
    """Refuse a change of a group by anyone but superusers.

    Raises:
        PermissionDenied: the person of the request in hand is no superuser.
    """
    actor = acting_account()
    if actor is not None:
        _refuse_without_rights(actor)


def _is_privileged_now(account: User) -> bool:
    """Ask the database: of an update of many rows only the keys are known."""
    stored = User.objects.filter(pk=account.pk).first()
    return stored is not None and is_privileged(stored)


def change_alone() -> None:
    """Let nobody else change rights until the end of the transaction.

    Take this lock before any account is locked: then no two who change each other's accounts wait for each other.
    """
    lock_until_commit("users.rights")


def _refuse_without_rights(actor: User) -> None:
    """Refuse a former superuser: of two who take each other's rights at the same moment, the second.

    Raises:
        PermissionDenied: the account is no active superuser.
    """
    change_alone()
    stored = User.objects.filter(pk=actor.pk).first()
    if stored is None or not may_give_rights(stored):
        raise PermissionDenied("Only superusers change rights and the accounts of those who have them.")


def members(group: Group) -> dict[str, list[list[str]]]:
    """Whose rights go with a group, for the audit."""
    ids = sorted(str(pk) for pk in group.user_set.values_list("pk", flat=True))
    return {"members": [ids, []]} if ids else {}


def is_recorded(account: User) -> bool:
    """Tell whether the audit has the addition of an account: not of customers who register themselves."""
    # A new account has no groups yet.
    return account.is_staff or account.is_superuser or acting_account() is not None


def is_unrecorded(account: User, fields: Iterable[str] | None) -> bool:
    """Tell whether a save is not recorded: a newer hash of the same password, or a person's change of their name."""
    return is_rehash(account, fields) or (
        fields is not None and set(fields) == {"name"} and getattr(acting_account(), "pk", None) == account.pk
    )


def is_rehash(account: User, fields: Iterable[str] | None) -> bool:
    """Tell whether a save only stores a newer hash of the same password, as Django does at a log-in."""
    alone = fields is not None and set(fields) == {"password"}
    return alone and account._password is None and account.has_usable_password()  # type: ignore[attr-defined]  # noqa: SLF001
