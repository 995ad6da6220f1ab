"""Addresses are confirmed, mails are counted, and names are one plain line.

Accounts from before count as confirmed since they joined. Their addresses get the form that log-ins look for, except
where another account has that form already: such an account keeps its spelling, and is found by it.
"""

from django.db import migrations, models
from django.db.models import F, Value

import users.addresses
from users.addresses import normalize


def confirm_old_accounts(apps, schema_editor):
    user = apps.get_model("users", "User").objects.using(schema_editor.connection.alias)
    user.filter(email_confirmed_at=None).update(email_confirmed_at=F("date_joined"))


def normalize_old_addresses(apps, schema_editor):
    accounts = apps.get_model("users", "User").objects.using(schema_editor.connection.alias)
    # An address in ASCII is normal already, unless its domain is an encoded one.
    unusual = accounts.exclude(email__regex=r"^[ -~]*$") | accounts.filter(email__contains="xn--")
    for pk, email in unusual.values_list("pk", "email"):
        normal = Value(normalize(email), output_field=models.CharField())
        if normal.value != email and not accounts.filter(email=normal).exists():
            accounts.filter(pk=pk).update(email=normal)


class Migration(migrations.Migration):
    dependencies = [("users", "0003_names")]
    operations = [
        migrations.AddField(
            model_name="user",
            name="email_confirmed_at",
            field=models.DateTimeField(
                editable=False,
                help_text="Until its owner confirms the address, it gets no mail but the one that asks for this.",
                null=True,
                verbose_name="address confirmed",
            ),
        ),
        migrations.RunPython(confirm_old_accounts, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(normalize_old_addresses, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            model_name="user",
            name="name",
            field=models.CharField(blank=True, max_length=150, validators=[users.addresses.validate_name]),
        ),
        migrations.CreateModel(
            name="MailCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("recipient", models.CharField(help_text="A keyed hash of the mailbox: no address is stored here.", max_length=64)),
                ("day", models.DateField()),
                ("sent", models.PositiveIntegerField(default=0)),
                ("suppressed", models.PositiveIntegerField(default=0, help_text="Mails over the limit, which were not sent.")),
            ],
            options={
                "verbose_name": "mails of a day",
                "verbose_name_plural": "mails by day",
                "constraints": [
                    models.UniqueConstraint(fields=("recipient", "day"), name="users_mailcount_recipient_day")
                ],
            },
        ),
    ]
