"""The registry for programs."""

from django.http import HttpRequest
from ninja import ModelSchema, Router

from llms.models import LanguageModel, LanguageModelQuerySet

router = Router(tags=["models"])


class ModelRow(ModelSchema):
    class Meta:
        model = LanguageModel
        fields = (
            "slug",
            "name",
            "organisation",
            "licence",
            "parameters",
            "stage",
            "status",
            "visibility",
            "created_at",
        )


@router.get("/models", response=list[ModelRow])
def models(request: HttpRequest) -> LanguageModelQuerySet:
    """The language models that you may see."""
    return LanguageModel.objects.visible_to(request.user)
