"""Files of other tools with anything in any place."""

import json
import random
import shutil
import zipfile
from pathlib import Path

import pytest

from evaluation import imports
from evaluation.foreign.results import BadFile

pytestmark = pytest.mark.django_db

FILES = Path(__file__).parent / "foreign"


@pytest.fixture
def copied(tmp_path):
    def copied(source):
        if source.name == "lighteval":
            with zipfile.ZipFile(source / "all.zip") as archive:
                archive.extractall(tmp_path / "copy")
            return tmp_path / "copy"
        return Path(shutil.copytree(source, tmp_path / "copy"))

    return copied


def leaves(node, path=()):
    yield path
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from leaves(child, (*path, key))


def with_leaf(node, path, value):
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = with_leaf(copy[path[0]], path[1:], value)
    return copy


WRONG = (
    None,
    [],
    {},
    "x",
    "",
    float("nan"),
    float("inf"),
    10**400,
    -1,
    1e300,
    True,
    "\ud800",
    "a\0b",
    [[]],
    [{}],
    {"": 1},
)


@pytest.mark.parametrize(
    "file",
    [
        "lm_eval/zero_shot/*/results_*.json",
        "lm_eval/zero_shot/*/samples_hellaswag*.jsonl",
        "inspect/json/*arc*.json",
        "lighteval/results/*/results_*.json",
    ],
)
def test_whatever_stands_in_a_file_it_is_a_problem_or_a_run(copied, file):
    """A thousand values in wrong places: none may end in anything but a sentence, and whatever passes can be stored."""
    tool, _, rest = file.partition("/")
    folder = copied(FILES / tool)
    target = next(folder.glob(rest))
    text = target.read_text()
    document = json.loads(text.splitlines()[0] if target.suffix == ".jsonl" else text)
    rng = random.Random(7)
    paths = [path for path in leaves(document) if not {"events", "configs"} & set(map(str, path[:2]))]
    for path in rng.sample(paths, min(150, len(paths))):
        spoilt = json.dumps(with_leaf(document, path, rng.choice(WRONG)))
        target.write_text("\n".join([spoilt, *text.splitlines()[1:]]) if target.suffix == ".jsonl" else spoilt)
        try:
            examination = imports.examine(folder)
        except BadFile:
            continue
        if not examination.problems:
            imports.bring_in(examination)
