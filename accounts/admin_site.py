from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.roles import Role, role_of


class HakemAdminSite(AdminSite):
    """The stock admin, open to the admin role. What one may do in it is decided by permissions, as ever."""

    site_header = site_title = "Hakem"
    index_title = _("Administration")
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is Role.ADMIN
