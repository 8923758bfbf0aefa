"""Runs under /runs/, benchmarks under /benchmarks/."""

from django.urls import include, path

from evaluation import comparison_views, import_views, request_views, run_views, sample_views, views

app_name = "evaluation"
urlpatterns = [
    path("benchmarks/", include("evaluation.benchmark_urls")),
    path("runs/compare/", comparison_views.comparison, name="compare"),
    path("runs/compare.csv", comparison_views.comparison_file, name="comparison_file"),
    path("runs/", views.run_list, name="runs"),
    path("runs/new/", request_views.new_run, name="new_run"),
    path("runs/import/", import_views.import_results, name="import"),
    path("runs/act/", request_views.act, name="act"),
    path("runs/<int:run_id>/", run_views.run_page, name="run"),
    path("runs/<int:run_id>/configuration/", run_views.configuration, name="configuration"),
    path("runs/<int:run_id>/configuration.json", run_views.configuration_file, name="configuration_file"),
    path("runs/<int:run_id>/samples/", sample_views.samples, name="samples"),
    path("runs/<int:run_id>/samples.jsonl", sample_views.samples_file, name="samples_file"),
    path("runs/<int:run_id>/samples/<int:place>/", sample_views.sample, name="sample"),
]
