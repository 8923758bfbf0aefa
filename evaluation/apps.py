from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EvaluationConfig(AppConfig):
    name = "evaluation"
    verbose_name = _("Benchmarks")

    def ready(self) -> None:
        from evaluation import private_benchmarks  # noqa: PLC0415 - models may not be imported before this point
        from evaluation.benchmarks.registry import find_private_with  # noqa: PLC0415

        find_private_with(private_benchmarks.find)
