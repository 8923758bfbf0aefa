"""Small files of votes, in any format, and what was read from them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq

from stats.comparisons import Outcome


def write_file(folder, name, content):
    """Rows as the ending says, or text or bytes as they are."""
    path = folder / name
    if isinstance(content, list) and name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(content), path)
    elif isinstance(content, list):
        text = json.dumps(content) if name.endswith(".json") else "\n".join(map(json.dumps, content))
        path.write_text(text, encoding="utf-8")
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def told(votes):
    """(left, right, outcome) by name."""
    c = votes.comparisons
    rows = zip(c.left.tolist(), c.right.tolist(), c.outcome.tolist(), strict=True)
    return [(votes.names[left], votes.names[right], Outcome(outcome)) for left, right, outcome in rows]


def turns(*texts):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


LMSYS = [
    {
        "question_id": f"q{i}",
        "model_a": "x",
        "model_b": "y",
        "winner": winner,
        "judge": f"arena_user_{i % 2}",
        "conversation_a": turns("hi", f"from a {i}", "more", "again"),
        "conversation_b": turns("hi", f"from b {i}"),
        "tstamp": 1.5e9 + i / 4,
    }
    for i, winner in enumerate(["model_a", "model_b", "tie", "tie (bothbad)"])
]
