"""How somebody likes the pages: kept in a cookie, read by the server so that the first paint is already right."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

THEMES = ("system", "light", "dark")
THEME_COOKIE = "theme"


def theme_of(request: HttpRequest) -> str:
    theme = request.COOKIES.get(THEME_COOKIE, THEMES[0])
    return theme if theme in THEMES else THEMES[0]


def remember_theme(response: HttpResponse, theme: str) -> None:
    response.set_cookie(
        THEME_COOKIE, theme, max_age=31_536_000, samesite="Lax", secure=bool(settings.SESSION_COOKIE_SECURE)
    )
