"""Log-likelihoods of SmolLM2-135M-Instruct (Q4_1, converted to float32) by lm-evaluation-harness 0.4.13.

Written by the harness itself, in an environment that has it (`python -m bench.scoring` makes one), from this file's place:

    bench/.envs/lm_eval/bin/python tests/llms/engines/huggingface/golden_scores.py FOLDER_WITH_THE_CONVERTED_MODEL
"""

import sys

MAX_LENGTH = 256
LONG = "The river was low that summer, and the boats lay on the mud until the rain came back in autumn.\n" * 20
SHOTS = "Question: Which is heavier?\nA. A stone\nB. A feather\nAnswer: A\n\n" * 2
REQUESTS = (
    (SHOTS + "Question: Which is colder?\nA. Steam\nB. Ice\nAnswer:", (" A", " B")),
    ("Cooking: She cracks two eggs into a bowl and", (" whisks them with a fork.", " paints the wall with a fork.")),
    ("The trophy did not fit into the bag because the trophy", (" was too large.",)),
    ("The trophy did not fit into the bag because the bag", (" was too large.",)),
    ("Trailing space: ", ("yes", "no")),
    ("", ("Once upon a time", "çok güzel 🙂")),
    (LONG, (" The end",)),
)
"""Shots with letters, endings, one ending after two contexts, a space at the border, nothing before, and far too long."""
LOG_LIKELIHOODS = (
    (-0.46163, -1.52117),
    (-11.53438, -32.7363),
    (-6.5233,),
    (-5.69227,),
    (-10.06889, -7.41562),
    (-23.46702, -67.78957),
    (-19.89783,),
)
ROLLING = -145.42601
"""Of `LONG`, which takes two windows."""


def main(folder: str) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    llm = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=1, max_length=MAX_LENGTH)
    for context, continuations in REQUESTS:
        asked = [Instance("loglikelihood", {}, (context, text), n) for n, text in enumerate(continuations)]
        sys.stdout.write(f"{[round(found, 5) for found, _ in llm.loglikelihood(asked)]}\n")
    sys.stdout.write(f"{llm.loglikelihood_rolling([Instance('loglikelihood_rolling', {}, (LONG,), 0)])}\n")


if __name__ == "__main__":
    main(sys.argv[1])
