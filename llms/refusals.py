"""Models that their server does not want to be asked for: a name that it does not know, a field that it refuses.

A circuit breaker for the model alone; the server's own is in `llms.endpoints`. A model that was refused a few times in
a row is not drawn until somebody edits it, the server lists it again, or it has answered after all.
"""

import logging

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from llms.engines.base import AccessRefused, EngineError, RequestRejected
from llms.models import LanguageModel
from llms.sentence_field import words_of

logger = logging.getLogger(__name__)

REFUSALS_UNTIL_REST = 3


def note_refusal(llm_id: int, error: EngineError) -> None:
    """Counts only what is the fault of the model's row. A key that is wrong is the endpoint's."""
    if not isinstance(error, RequestRejected) or isinstance(error, AccessRefused):
        return
    row = LanguageModel.objects.filter(pk=llm_id)
    row.update(n_refusals=F("n_refusals") + 1, last_refusal=words_of(error))
    if row.filter(n_refusals__gte=REFUSALS_UNTIL_REST, refused_since=None).update(refused_since=Now()):
        # no words of the server in the log: they may repeat what it was asked; the row has them
        logger.warning("model %d is not drawn any more: its server refused it %d times", llm_id, REFUSALS_UNTIL_REST)


def forget(llms: "QuerySet[LanguageModel]") -> int:
    """Let them be drawn again. Returns how many had been refused. Only a row that says otherwise is written."""
    refused = llms.filter(n_refusals__gt=0)
    return refused.update(n_refusals=0, refused_since=None, last_refusal="")
