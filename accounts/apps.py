from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from accounts.roles import grant_permissions  # noqa: PLC0415 - models may not be imported before this point

        post_migrate.connect(grant_permissions, dispatch_uid="accounts.grant_permissions")


class HakemAdminConfig(AdminConfig):
    default_site = "accounts.admin_site.HakemAdminSite"
