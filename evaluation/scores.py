"""What is kept of each sample that a model was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceScore:
    text: str
    log_probability: float
    is_greedy: bool
    n_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleScore:
    sample_id: str
    subject: str
    question: str = ""
    """Without examples and description."""
    prompts: tuple[str, ...]
    """As sent: one for all choices, or one for each."""
    target: int | tuple[str, ...]
    choices: tuple[ChoiceScore, ...] = ()
    answer: str = ""
    """What the model wrote, where it was asked to."""
    predictions: Mapping[str, int] = field(default_factory=dict)
    """By metric: the place of the choice that it takes."""
    values: Mapping[str, float] = field(default_factory=dict)
    """By metric 1 for right and 0 for wrong; of a text its log-probability and sizes."""
    was_truncated: bool = False
    """The beginning of the prompt, or the end of the answer, was cut off."""
    error: str = ""
    """Why there are no values."""
