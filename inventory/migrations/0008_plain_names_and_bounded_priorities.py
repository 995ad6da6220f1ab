"""Names are one plain line, and priorities have bounds, in forms as in the API. The tables do not change."""

import django.core.validators
from django.db import migrations, models

import project.plain_text


class Migration(migrations.Migration):
    dependencies = [("inventory", "0001_squashed_0007_names")]

    operations = [
        migrations.AlterField(
            model_name="location",
            name="name",
            field=models.CharField(max_length=200, validators=[project.plain_text.validate_line]),
        ),
        migrations.AlterField(
            model_name="location",
            name="priority",
            field=models.IntegerField(
                default=0,
                help_text="Orders are filled from the lowest number first.",
                validators=[
                    django.core.validators.MinValueValidator(-32768),
                    django.core.validators.MaxValueValidator(32767),
                ],
            ),
        ),
        migrations.AlterField(
            model_name="product",
            name="name",
            field=models.CharField(max_length=200, validators=[project.plain_text.validate_line]),
        ),
    ]
