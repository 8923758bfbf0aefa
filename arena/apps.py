from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.utils.translation import gettext_lazy as _


class ArenaConfig(AppConfig):
    name = "arena"
    verbose_name = _("Arena")

    def ready(self) -> None:
        from arena.adoption import adopt_on_sign_in  # noqa: PLC0415 - models may not be imported before this point

        user_logged_in.connect(adopt_on_sign_in, dispatch_uid="arena.adopt_on_sign_in")
