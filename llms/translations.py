"""What engines say, in the reader's language."""

from django.utils.translation import gettext

from llms.sentences import Sentence


def translated(text: str) -> str:
    """What is no sentence of ours, such as a library's own words, stays as it is."""
    if not isinstance(text, Sentence):
        return text
    values = {name: translated(value) if isinstance(value, str) else value for name, value in text.values.items()}
    return gettext(text.template) % values
