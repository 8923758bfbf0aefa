"""Pages for those who register models, all under /models/."""

from django.urls import path

from llms import endpoint_views, step_views, views

app_name = "llms"
urlpatterns = [
    path("models/", views.models, name="models"),
    path("models/register/", views.register, name="register"),
    path("models/look/", views.look_around, name="look_around"),
    path("models/use/", views.use_found, name="use_found"),
    path("models/endpoints/", endpoint_views.endpoints, name="endpoints"),
    path("models/endpoints/<int:endpoint_id>/", endpoint_views.endpoint, name="endpoint"),
    path("models/endpoints/<int:endpoint_id>/ask/", endpoint_views.ask_endpoint, name="ask_endpoint"),
    path("models/endpoints/<int:endpoint_id>/probe/", endpoint_views.probe_endpoint, name="probe_endpoint"),
    path("models/<int:llm_id>/source/", step_views.source, name="source"),
    path("models/<int:llm_id>/check/", step_views.check, name="check"),
    path("models/<int:llm_id>/template/", step_views.template, name="template"),
    path("models/<int:llm_id>/try/", step_views.try_live, name="try"),
    path("models/<int:llm_id>/try/answer/", step_views.answer, name="answer"),
    path("models/<int:llm_id>/publish/", step_views.publish, name="publish"),
]
