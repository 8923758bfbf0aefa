"""Benchmarks, under /benchmarks/; the private ones under /benchmarks/private/, where large bodies may come."""

from django.urls import path

from evaluation import benchmark_views, private_views

urlpatterns = [
    path("", benchmark_views.benchmarks, name="benchmarks"),
    path("<slug:name>/", benchmark_views.benchmark_page, name="benchmark"),
    path("private/new/", private_views.new_set, name="new_set"),
    path("private/<slug:slug>/", private_views.private_set, name="private_set"),
    path("private/<slug:slug>/items/", private_views.private_items, name="private_items"),
    path("private/<slug:slug>/file/", private_views.private_file, name="private_file"),
    path("private/<slug:slug>/replace/", private_views.replace_set, name="replace_set"),
    path("private/<slug:slug>/change/", private_views.change_set, name="change_set"),
    path("private/<slug:slug>/examine/", private_views.examine_again, name="examine_again"),
    path("private/<slug:slug>/archive/", private_views.archive_set, name="archive_set"),
    path("private/<slug:slug>/delete/", private_views.delete_set, name="delete_set"),
]
