"""The audit, with triggers that refuse to change, delete or truncate it."""

import django.core.serializers.json
import django.db.models.functions.datetime
from django.db import migrations, models

from project.bus.backends.append_only import append_only


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Change',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor', models.CharField(max_length=100)),
                ('action', models.CharField(choices=[('add', 'Add'), ('change', 'Change'), ('delete', 'Delete')], max_length=10)),
                ('object_type', models.CharField(max_length=100)),
                ('object_id', models.CharField(max_length=200)),
                ('fields', models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder)),
            ],
            options={
                'indexes': [models.Index(fields=['object_type', 'object_id', 'id'], name='audit_change_object'), models.Index(fields=['actor', 'id'], name='audit_change_actor')],
            },
        ),
        *append_only("audit_change", prefix="audit_change"),
    ]
