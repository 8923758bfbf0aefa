"""What must be right before a language model may serve: the same answer for the admin, commands and pages to come."""

from llms.engines.registry import UnknownEngine, engine_class
from llms.models import LanguageModel
from llms.translations import translated


def problems(llm: LanguageModel) -> list[str]:
    """What would keep this model from answering, each as a sentence that says how to mend it. Loads no weights."""
    if llm.status == LanguageModel.Status.LISTED:
        return []
    try:
        engine = engine_class(llm.engine)
    except UnknownEngine as error:
        return [str(error)]
    return [translated(problem) for problem in engine.problems(llm.source, llm.revision, llm.options)]
