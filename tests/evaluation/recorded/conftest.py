import io
import json

import pytest
from django.core.management import call_command

from tests.conftest import SHARED_DATA

PROMPTS = [
    {
        "key": 7,
        "prompt": "No commas.",
        "instruction_id_list": ["punctuation:no_comma"],
        "kwargs": [{"num_words": None}],
    },
    {
        "key": 8,
        "prompt": "Three words in quotes.",
        "instruction_id_list": ["startend:quotation", "length_constraints:number_words"],
        "kwargs": [{}, {"relation": "at least", "num_words": 3}],
    },
]


@pytest.fixture
def public_data(settings):
    if not (SHARED_DATA / "alpaca_eval").is_dir():
        pytest.skip(f"needs the public data: no folder {SHARED_DATA} (set HAKEM_SHARED_DATA)")
    settings.BENCHMARK_DATA_DIR = SHARED_DATA
    return SHARED_DATA


@pytest.fixture
def own_data(settings, tmp_path):
    """A folder with two prompts of our own in IFEval's form."""
    folder = tmp_path / "benchmarks"
    (folder / "ifeval").mkdir(parents=True)
    (folder / "alpaca_eval").mkdir()
    (folder / "ifeval" / "input_data.jsonl").write_text("\n".join(map(json.dumps, PROMPTS)))
    settings.BENCHMARK_DATA_DIR = folder
    return folder


@pytest.fixture
def prompts():
    """Those of `own_data`."""
    return PROMPTS


@pytest.fixture
def scored(tmp_path):
    """Of a file."""

    def scored(benchmark, responses, **options):
        out = tmp_path / "out.json"
        call_command("score", benchmark, responses=responses, out=out, stdout=io.StringIO(), **options)
        return json.loads(out.read_text())

    return scored


@pytest.fixture
def score(tmp_path, scored):
    """Of rows, or of lines as they are."""

    def score(benchmark, rows, **options):
        path = tmp_path / "responses.jsonl"
        path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
        return scored(benchmark, path, **options)

    return score
