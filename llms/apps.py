from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LlmsConfig(AppConfig):
    name = "llms"
    verbose_name = _("Language models")
