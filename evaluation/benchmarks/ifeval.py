"""IFEval: instructions that a program can check. A row, in our own words:

    {"key": 1, "prompt": "Describe your town in fewer than 50 words, without a comma.",
     "instruction_id_list": ["length_constraints:number_words", "punctuation:no_comma"],
     "kwargs": [{"relation": "less than", "num_words": 50}, {}]}

The prompt is sent as it is; what the model writes is checked by `evaluation.scoring.instructions`, as it is (strict)
and without its first or last line or its stars (loose).
"""

import json
from collections.abc import Mapping
from typing import Any

from evaluation.benchmarks.base import Benchmark, Capability, Card, Explained, HubFiles, Method, Options, Sample
from evaluation.benchmarks.rows import Row
from evaluation.prompts import Template
from evaluation.scoring.instructions.checking import followed, instructions_of
from evaluation.scoring.instructions.descriptions import described
from evaluation.scoring.instructions.rows import prompt_of
from llms.chat import SamplingParams
from llms.sentences import mark

MOST_NEW_TOKENS = 1280


class Ifeval(Benchmark):
    name = "ifeval"
    version = 1
    card = Card(
        title="IFEval",
        measures=mark("Instructions that a program can check: lengths, formats, words to use or to avoid."),
        licence="Apache-2.0",
        paper="Zhou et al. 2023, “Instruction-following evaluation for large language models”, arXiv:2311.07911",
        known_faults=(
            mark("Checks read the form and not the sense: nonsense of the right form passes."),
            mark("Two rows ask for a sign as if it were a letter; here they are taken at their word."),
            mark("One row's data ask for less than its prompt does (key 1174)."),
        ),
    )
    capability = Capability.INSTRUCTION
    method = Method.GENERATION
    prompt_form = mark("the prompt as a message; checked by rules")
    metrics = (
        "prompt_level_strict_acc", "inst_level_strict_acc", "prompt_level_loose_acc", "inst_level_loose_acc",
    )  # fmt: skip
    headline = "prompt_level_strict_acc"
    ratios = {
        "inst_level_strict_acc": ("n_strict", "n_instructions"),
        "inst_level_loose_acc": ("n_loose", "n_instructions"),
    }
    default_options = Options(template=Template.CHAT)
    templates = (Template.CHAT,)
    draws = ()
    answer = SamplingParams(temperature=0, max_new_tokens=MOST_NEW_TOKENS)
    extras = (("max_new_tokens", str(MOST_NEW_TOKENS)),)
    hub = HubFiles(
        repository="google/IFEval",
        revision="966cd89545d6b6acfd7638bc708b98261ca58e84",
        files={"input_data": "ifeval_input_data.jsonl"},
    )
    fields = ("key", "prompt", "instruction_id_list", "kwargs")
    scored_split = "input_data"
    shot_split = "input_data"
    n_rows = {"input_data": 541}

    def parse(self, row: Row, variant: str) -> Sample:
        prompt = prompt_of(row)
        given = [{name: value for name, value in one.items() if value is not None} for one in row["kwargs"]]
        kinds = (instruction.kind for instruction in prompt.instructions)
        instructions = tuple(zip(kinds, map(json.dumps, given), strict=True))
        return Sample(questions=(prompt.text,), target=(), instructions=instructions)

    def row_id(self, row: Row) -> str:
        return str(row["key"])

    def judged(self, sample: Sample, answer: str) -> Mapping[str, float]:
        found = followed(instructions_of(*_kinds_and_arguments(sample)), answer)
        strict = [verdict.is_followed for verdict in found.strict]
        loose = [verdict.is_followed for verdict in found.loose]
        return {
            "prompt_level_strict_acc": float(all(strict)),
            "prompt_level_loose_acc": float(all(loose)),
            "n_strict": float(sum(strict)),
            "n_loose": float(sum(loose)),
            "n_instructions": float(len(strict)),
        }

    def explained(self, sample: Sample, answer: str) -> tuple[Explained, ...]:
        kinds, arguments = _kinds_and_arguments(sample)
        found = followed(instructions_of(kinds, arguments), answer)
        rows = zip(kinds, described(kinds, arguments), found.strict, found.loose, strict=True)
        return tuple(Explained(kind, words, *strict, *loose) for kind, words, strict, loose in rows)


def _kinds_and_arguments(sample: Sample) -> tuple[list[str], list[Mapping[str, Any]]]:
    return [kind for kind, _ in sample.instructions], [json.loads(given) for _, given in sample.instructions]
