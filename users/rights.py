"""The rules on who may change whose account and rights. The admin asks them, and so does every write to the tables."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied

from project.audit.actors import acting_account
from users.models import User

#: What lets an account do more than order.
RIGHTS = frozenset({"is_staff", "is_superuser", "groups", "user_permissions"})
#: Whoever may not change their rights may not take away their own account, either.
READ_ONLY_TO_ONESELF = RIGHTS | {"is_active"}


def is_privileged(account: User) -> bool:
    """Tell whether an account is a member of staff or a superuser."""
    return account.is_staff or account.is_superuser


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
    """Refuse a change of rights that the person of the request in hand may not make, wherever it comes from.

    Raises:
        PermissionDenied: that person is no superuser, or changes their own rights.
    """
    actor = acting_account()
    if actor is not None and RIGHTS & read_only_fields(actor, account) & set(fields):
        raise PermissionDenied("Only superusers change rights, and nobody their own.")


def refuse_group(_group: Group, _fields: Iterable[str]) -> None:
    """Refuse a change of a group by anyone but superusers.

    Raises:
        PermissionDenied: the person of the request in hand is no superuser.
    """
    actor = acting_account()
    if actor is not None and not may_give_rights(actor):
        raise PermissionDenied("Only superusers change groups.")


def is_recorded(account: User) -> bool:
    """Tell whether the audit has the addition of an account: not of customers who register themselves."""
    return is_privileged(account) or acting_account() is not None


def is_rehash(account: User, fields: Iterable[str] | None) -> bool:
    """Tell whether a save only stores a newer hash of the same password, as Django does at a log-in."""
    alone = fields is not None and set(fields) == {"password"}
    return alone and account._password is None and account.has_usable_password()  # type: ignore[attr-defined]  # noqa: SLF001
