"""`manage.py unlock_account`: end the lock-out of an account."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from project.bus.management import base
from users import attempts
from users.models import User


class Command(base.Command):
    help = """\
End the lock-out of an account after too many failed log-ins, and forget them.

It is for the superuser whom strangers lock out: others have the action "Clear lock-outs" in the admin. The lock-out of
a network address is not ended; it ends by itself within an hour. The audit has the account's id, and never its address.

example:
  manage.py unlock_account ada@example.org

exit codes:
  0  the account is not locked out now
  1  no account has this address
  2  wrong arguments, or the database does not answer"""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", metavar="EMAIL", help="the address with which its owner logs in")

    def handle(self, *, email: str, **_: Any) -> None:
        """Forget the failed log-ins.

        Raises:
            CommandError: no account has this address.
        """
        try:
            user = User.objects.get_by_natural_key(email)
        except User.DoesNotExist:
            raise CommandError("No account has this address. Check its spelling.") from None
        if attempts.unlock(user):
            self.stdout.write(f"The failed log-ins to account {user.pk} are forgotten: its owner can log in now.")
        else:
            self.stdout.write(f"There are no failed log-ins to account {user.pk}. Nothing was changed.")
