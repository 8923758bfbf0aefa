"""MMLU: exam questions of 57 subjects, four choices each. A row, in our own words:

    {"question": "Which gas do plants take in to grow?", "subject": "college_biology",
     "choices": ["Oxygen", "Carbon dioxide", "Helium", "Neon"], "answer": 1}

Prompt: a line that names the subject, the subject's five rows of the dev split with their answers, the question with
lettered choices, "Answer:"; continuations: the letters.
"""

from typing import Final

from evaluation.benchmarks.base import Benchmark, Capability, Card, Draw, HubFiles, Options, Sample, Subjects
from evaluation.benchmarks.rows import Row, one_of, shown, text, texts
from evaluation.errors import BadRow
from llms.sentences import filled, mark

LETTERS: Final = ("A", "B", "C", "D")
GROUPS: Final = {
    "stem": """abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science
        college_mathematics college_physics computer_security conceptual_physics electrical_engineering
        elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science
        high_school_mathematics high_school_physics high_school_statistics machine_learning""",
    "humanities": """formal_logic high_school_european_history high_school_us_history high_school_world_history
        international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy prehistory
        professional_law world_religions""",
    "social_sciences": """econometrics high_school_geography high_school_government_and_politics
        high_school_macroeconomics high_school_microeconomics high_school_psychology human_sexuality
        professional_psychology public_relations security_studies sociology us_foreign_policy""",
    "other": """business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing
        medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology""",
}


class Mmlu(Benchmark):
    name = "mmlu"
    version = 2
    card = Card(
        title="MMLU",
        measures=mark("Knowledge of 57 subjects, from school to professional exams, by questions with four choices."),
        licence="MIT",
        paper="Hendrycks et al. 2021, “Measuring massive multitask language understanding”, arXiv:2009.03300",
        known_faults=(
            mark("An estimated 6.5 percent of the questions are wrong, worst in virology (Gema et al. 2024)."),
            mark(
                "The mean over all questions and the mean over subjects differ by a point or more: compare like with"
                " like."
            ),
            mark("Implementations that let the model write its answer, or that read a bare letter, give other scores."),
        ),
    )
    capability = Capability.KNOWLEDGE
    prompt_form = mark("subject line, lettered choices, Answer: + letter")
    metrics = ("acc",)
    headline = "acc"
    default_options = Options(n_shots=5)
    draws = (Draw.FIRST,)  # lm-evaluation-harness' own rule for it, too
    hub = HubFiles(
        repository="cais/mmlu",
        revision="c30699e8356da336a370243923dbaf21066bb9fe",
        files={split: f"all/{split}-00000-of-00001.parquet" for split in ("dev", "validation", "test")},
    )
    fields = ("question", "subject", "choices", "answer")
    shot_split = "dev"
    n_rows = {"dev": 285, "validation": 1531, "test": 14_042}
    subjects = Subjects({name: group for group, names in GROUPS.items() for name in names.split()})

    def parse(self, row: Row, variant: str) -> Sample:
        subject = text(row, "subject")
        if subject not in self.subjects.group_of:
            raise BadRow(filled(mark("%(subject)s is none of MMLU's subjects"), subject=shown(subject)))
        choices = texts(row, "choices", at_least=4, at_most=4)
        lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=True)]
        return Sample(
            subject=subject,
            questions=("\n".join([text(row, "question").strip(), *lines, "Answer:"]),),
            choices=LETTERS,
            target=one_of(row, "answer", ("0", "1", "2", "3")),
        )

    def description(self, sample: Sample) -> str:
        subject = sample.subject.replace("_", " ")
        return f"The following are multiple choice questions (with answers) about {subject}.\n\n"
