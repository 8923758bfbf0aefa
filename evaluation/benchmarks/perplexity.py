"""Perplexity: how well a model predicts a text of yours. A row: {"text": "…"}.

The text is read in windows of the model's length that do not overlap, each beginning with one token that is known; the
first begins with the model's beginning of text. Bits per byte compare models with different tokenizers, as do
perplexities per byte and per word; perplexity per token would not, and is not given.
"""

import re
from typing import Final

from evaluation.benchmarks.base import Benchmark, Capability, Card, Method, Sample
from evaluation.benchmarks.rows import Row, text
from evaluation.prompts import Template
from llms.sentences import mark

WHITE_SPACE: Final = re.compile(r"\s+")


class Perplexity(Benchmark):
    name = "perplexity"
    version = 1
    card = Card(
        title=mark("Perplexity"),
        measures=mark("How well the model predicts a text, in bits per byte: lower is better."),
        licence="–",
        paper="Jelinek et al. 1977, “Perplexity: a measure of the difficulty of speech recognition tasks”",
        known_faults=(
            mark("It says nothing about following instructions, and only compares on the same text."),
            mark("A model that has seen the text predicts it too well."),
        ),
    )
    capability = Capability.KNOWLEDGE
    method = Method.TOKEN_STATISTICS
    prompt_form = mark("windows that do not overlap")
    metrics = ("bits_per_byte", "byte_perplexity", "word_perplexity")
    headline = "bits_per_byte"
    draws = ()
    templates = (Template.OFF,)
    fields = ("text",)

    def parse(self, row: Row, variant: str) -> Sample:
        return Sample(questions=(text(row, "text"),), target=())


def n_words(document: str) -> int:
    """As lm-evaluation-harness counts: white space at either end adds an empty word."""
    return len(WHITE_SPACE.split(document))
