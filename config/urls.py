from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from config.api import api
from config.health import healthz, readyz
from config.metrics import metrics

urlpatterns = [
    path("", include("arena.urls")),
    path("", include("leaderboard.urls")),
    path("", include("evaluation.urls")),
    path("", include("llms.urls")),
    path("", include("accounts.urls")),
    path("preferences/language/", set_language, name="set_language"),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler404 = "config.not_found.not_found"
