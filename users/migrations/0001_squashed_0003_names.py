"""The tables of users as of 0.2.0.

A new database runs this one alone. A database of 0.1.0 runs those that it replaces, which may be deleted in the second
release after 0.2.0: upgrades from 0.1.0 then go by way of 0.2.0.

On PostgreSQL an index on the words of names serves searches, while its expression equals that of the lookup `words`,
which the admins share.
"""

import django.db.models.functions.text
import django.utils.timezone
import uuid_utils.compat
from django.db import migrations, models

import users.models
from project.bus.backends.migrations import RunPostgreSQL


class Migration(migrations.Migration):
    initial = True

    replaces = [("users", "0001_initial"), ("users", "0002_user_search"), ("users", "0003_names")]

    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=uuid_utils.compat.uuid7, editable=False, primary_key=True, serialize=False)),
                ('email', users.models.LowerCaseEmailField(error_messages={'unique': 'This e-mail has an account already.'}, max_length=254, unique=True, verbose_name='e-mail')),
                ('name', models.CharField(blank=True, max_length=150)),
                ('is_active', models.BooleanField(default=True, help_text='Take this away instead of deleting an account.', verbose_name='active')),
                ('is_staff', models.BooleanField(default=False, help_text='May log in to this admin.', verbose_name='staff')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_staff', True)), fields=['id'], name='users_user_staff'), models.Index(condition=models.Q(('is_active', False)), fields=['id'], name='users_user_inactive')],
                'constraints': [models.CheckConstraint(condition=models.Q(('email', django.db.models.functions.text.Lower('email'))), name='users_user_email_lower_case', violation_error_message='An e-mail address is stored in lower case.')],
            },
            managers=[
                ('objects', users.models.UserManager()),
            ],
        ),
        RunPostgreSQL(
            ["CREATE INDEX users_user_words ON users_user USING gin (to_tsvector('simple', name))"],
            ["DROP INDEX users_user_words"],
        ),
    ]
