from django.http import HttpRequest

from accounts.preferences import theme_of
from accounts.roles import Role, role_of


def preferences(request: HttpRequest) -> dict[str, object]:
    """What the frame of every page needs. Error pages may come before there is a user."""
    role = role_of(request.user) if hasattr(request, "user") else None
    return {"theme": theme_of(request), "role": role, "is_admin": role is Role.ADMIN}
