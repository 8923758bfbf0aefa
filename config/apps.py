from django.apps import AppConfig


class ConfigConfig(AppConfig):
    """Makes the management commands of `config` known."""

    name = "config"
    label = "hakem_config"
