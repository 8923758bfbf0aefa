from django.urls import path

from arena import views

app_name = "arena"
urlpatterns = [
    path("", views.new_battle, name="new_battle"),
    path("ready/", views.readiness, name="readiness"),
    path("battle/<uuid:battle_id>/", views.battle, name="battle"),
]
