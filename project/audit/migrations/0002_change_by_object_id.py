"""An index for the search of changes by what changed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.AddIndex(
            model_name="change",
            index=models.Index(fields=["object_id", "id"], name="audit_change_object_id"),
        ),
    ]
