"""ARC-Challenge: science questions for school exams that simple methods get wrong. A row, in our own words:

    {"id": "…", "question": "Which tool measures the temperature of water?",
     "choices": {"text": ["ruler", "thermometer", "scale", "clock"], "label": ["A", "B", "C", "D"]}, "answerKey": "B"}

Prompt: "Question: …\\nAnswer:", continuations: the texts of the choices. Some rows have three or five choices, and some
label them 1 to 4.
"""

from evaluation.benchmarks.base import Benchmark, Capability, Card, HubFiles, Sample
from evaluation.benchmarks.rows import Row, one_of, shown, text, texts
from evaluation.errors import BadRow
from llms.sentences import filled, mark


class ArcChallenge(Benchmark):
    name = "arc_challenge"
    version = 1
    card = Card(
        title="ARC-Challenge",
        measures=mark("Science at school level: questions that neither looking up words nor word statistics answer."),
        licence="CC BY-SA 4.0",
        paper="Clark et al. 2018, “Think you have solved question answering? Try ARC”, arXiv:1803.05457",
        known_faults=(
            mark("Scores with 0 and with 25 examples are both published, and differ by several points."),
            mark("The model is never shown the other choices, unlike the pupils."),
        ),
    )
    capability = Capability.REASONING
    prompt_form = mark("Question: … / Answer: + text of the choice")
    metrics = ("acc", "acc_norm", "acc_bytes")
    headline = "acc_norm"
    hub = HubFiles(
        repository="allenai/ai2_arc",
        revision="210d026faf9955653af8916fad021475a3f00453",
        files={split: f"ARC-Challenge/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")},
    )
    fields = ("id", "question", "choices", "answerKey")
    n_rows = {"train": 1119, "validation": 299, "test": 1172}

    def parse(self, row: Row, variant: str) -> Sample:
        choices = row.get("choices")
        if not isinstance(choices, dict):
            raise BadRow(filled(mark("“choices” must hold “text” and “label”, not %(value)s"), value=shown(choices)))
        answers, labels = texts(choices, "text"), texts(choices, "label")
        if len(answers) != len(labels) or len(set(labels)) != len(labels):
            raise BadRow(filled(mark("each choice needs a label of its own")))
        return Sample(
            questions=(f"Question: {text(row, 'question')}\nAnswer:",),
            choices=answers,
            target=one_of(row, "answerKey", labels),
        )
