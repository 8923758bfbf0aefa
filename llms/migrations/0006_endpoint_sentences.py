from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('llms', '0005_identity_and_refusals'),
    ]

    operations = [
        migrations.AlterField(
            model_name='endpoint',
            name='last_error',
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.AlterField(
            model_name='languagemodel',
            name='last_refusal',
            field=models.TextField(blank=True, editable=False),
        ),
    ]
