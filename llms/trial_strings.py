"""The words of the page where a model is tried live: its prompts to begin with, and what its script says."""

from django.utils.translation import gettext_lazy as _

TRIAL_PROMPTS = (
    _("Explain in three sentences why the sky is blue."),
    _("Write a Python function that reverses a string, and show how to call it."),
    _("What are you called, and who made you?"),
)
"""Knowledge, form, and whether it gives itself away."""

_STRINGS = {
    "waiting": _("Waiting for the first word…"),
    "writing": _("Writing…"),
    "done": _("Done."),
    "stopped": _("Stopped."),
    "lost": _("The connection was lost in the middle of the answer. Try again."),
    "refused": _("The server did not take the question (status %(status)s). Reload the page and try again."),
    "empty": _("Write a prompt first."),
    "cut": _("The answer reached its longest length, and was cut there."),
    "no_words": _("The answer is empty."),
    "unknown": _("not stated"),
    "copied": _("Copied"),
    "md_code": _("Code"),
    "md_copy": _("Copy"),
    "md_table": _("Table"),
    "md_formula": _("Formula"),
    "md_image_not_loaded": _("Image not loaded"),
    "md_reasoning": _("Reasoning"),
    "md_clipped": _("This answer is very long. Only its beginning is shown."),
    "md_show_all": _("Show all as text"),
}


def trial_strings() -> dict[str, str]:
    """In the language of the moment."""
    return {key: str(words) for key, words in _STRINGS.items()}
