"""What each kind of instruction asks for, in words: what its check looks at, which is not always all that the prompt
says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from evaluation.scoring.instructions.arguments import Arguments
from evaluation.scoring.instructions.forms import ALLOWED_ANSWERS, BETWEEN_RESPONSES
from llms.sentences import Sentence, filled, mark

Description = Callable[[Arguments], Sentence]
LONGEST_REQUEST: Final = 200
LANGUAGES: Final = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "gu": "Gujarati",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "kn": "Kannada",
    "ko": "Korean",
    "mr": "Marathi",
    "ne": "Nepali",
    "pa": "Punjabi",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
}
"""Not marked: the framework's own catalogues have most of these names, in every language that it speaks."""


def _plain(words: str) -> Description:
    return lambda given: filled(words)


def _at_least(words: str, number: str) -> Description:
    return lambda given: filled(words, asked=given.at_least(number).asked)


def _exactly(words: str, number: str) -> Description:
    return lambda given: filled(words, asked=given.exactly(number).asked)


def _amount(words: str, number: str, relation: str = "relation") -> Description:
    return lambda given: filled(words, asked=given.amount(number, relation).asked)


def _named(words: str, name: str) -> Description:
    return lambda given: filled(words, words=given.text(name).strip())


def _listed(words: str, name: str) -> Description:
    return lambda given: filled(words, words=", ".join(given.texts(name)))


def _frequency(given: Arguments) -> Sentence:
    return _occurs(given.text("keyword").strip(), given.amount("frequency").asked)


def _letter_frequency(given: Arguments) -> Sentence:
    return _occurs(given.letter("letter"), given.amount("let_frequency", "let_relation").asked)


def _occurs(word: str, asked: Sentence) -> Sentence:
    return filled(mark("How often “%(word)s” occurs: %(asked)s"), word=word, asked=asked)


def _sections(given: Arguments) -> Sentence:
    words = mark("Number of sections that begin with “%(word)s” and a number: %(asked)s")
    return filled(words, word=given.text("section_spliter").strip(), asked=given.at_least("num_sections").asked)


def _first_word(given: Arguments) -> Sentence:
    words = mark("Number of paragraphs: %(asked)s; paragraph %(place)s begins with “%(word)s”")
    place, word = given.whole("nth_paragraph", at_least=1), given.text("first_word")
    return filled(words, asked=given.exactly("num_paragraphs").asked, place=place, word=word)


def _language(given: Arguments) -> Sentence:
    code = given.text("language")
    name = filled(LANGUAGES[code]) if code in LANGUAGES else code
    return filled(mark("Language of the whole response: %(name)s (%(code)s)"), name=name, code=code)


def _request(given: Arguments) -> Sentence:
    request = given.text("prompt_to_repeat").strip()
    shown = request if len(request) <= LONGEST_REQUEST else request[: LONGEST_REQUEST - 1] + "…"
    return filled(mark("Begins with the request, word for word: “%(words)s”"), words=shown)


def _one_of(given: Arguments) -> Sentence:
    return filled(mark("One of these answers: %(words)s"), words=" / ".join(ALLOWED_ANSWERS))


def _two_responses(given: Arguments) -> Sentence:
    return filled(mark("Two different responses, with %(divider)s between them"), divider=BETWEEN_RESPONSES)


DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "change_case:capital_word_frequency": _amount(
        mark("Number of words in capitals: %(asked)s"), "capital_frequency", "capital_relation"
    ),
    "change_case:english_capital": _plain(mark("All in English, and all in capital letters")),
    "change_case:english_lowercase": _plain(mark("All in English, and without capital letters")),
    "combination:repeat_prompt": _request,
    "combination:two_responses": _two_responses,
    "detectable_content:number_placeholders": _at_least(
        mark("Number of placeholders in brackets, such as [name]: %(asked)s"), "num_placeholders"
    ),
    "detectable_content:postscript": _named(mark("A postscript that begins with %(words)s"), "postscript_marker"),
    "detectable_format:constrained_response": _one_of,
    "detectable_format:json_format": _plain(mark("Nothing but JSON")),
    "detectable_format:multiple_sections": _sections,
    "detectable_format:number_bullet_lists": _exactly(mark("Number of bullet points: %(asked)s"), "num_bullets"),
    "detectable_format:number_highlighted_sections": _at_least(
        mark("Number of parts *highlighted* with stars: %(asked)s"), "num_highlights"
    ),
    "detectable_format:title": _plain(mark("A title in <<double angular brackets>>")),
    "keywords:existence": _listed(mark("All of these words: %(words)s"), "keywords"),
    "keywords:forbidden_words": _listed(mark("None of these words: %(words)s"), "forbidden_words"),
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letter_frequency,
    "language:response_language": _language,
    "length_constraints:nth_paragraph_first_word": _first_word,
    "length_constraints:number_paragraphs": _exactly(
        mark("Number of paragraphs, with *** between them: %(asked)s"), "num_paragraphs"
    ),
    "length_constraints:number_sentences": _amount(mark("Number of sentences: %(asked)s"), "num_sentences"),
    "length_constraints:number_words": _amount(mark("Number of words: %(asked)s"), "num_words"),
    "punctuation:no_comma": _plain(mark("No comma")),
    "startend:end_checker": _named(mark("Ends with “%(words)s”"), "end_phrase"),
    "startend:quotation": _plain(mark("All of it between double quotation marks")),
}


def described(kinds: Sequence[str], arguments: Sequence[Mapping[str, Any]]) -> tuple[Sentence, ...]:
    """Of what `instructions_of` accepts. Raises BadRow."""
    return tuple(DESCRIPTIONS[kind](Arguments(given)) for kind, given in zip(kinds, arguments, strict=True))
