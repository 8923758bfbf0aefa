"""Every frame of the browser becomes a typed request or a refusal that names what is wrong."""

import contextlib
import typing
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena import protocol
from arena.protocol import (
    Abstain,
    CastVote,
    FrameError,
    GiveFeedback,
    Request,
    Retry,
    Start,
    Stop,
    Sync,
    TakeTurn,
    parse,
)

KEY = uuid.UUID("12345678-1234-5678-1234-567812345678")
OTHER = uuid.UUID("00000000-0000-0000-0000-000000000001")
KINDS = ["start", "turn", "vote", "feedback", "stop", "retry", "abstain", "sync"]


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ({"type": "start", "key": str(KEY), "prompt": "Hi"}, Start(KEY, "Hi")),
        ({"type": "start", "key": KEY.hex, "prompt": "Hi", "rematch_of": None}, Start(KEY, "Hi")),
        ({"type": "start", "key": str(KEY), "prompt": "Hi", "rematch_of": ""}, Start(KEY, "Hi")),
        ({"type": "start", "key": str(KEY), "prompt": "Hi", "rematch_of": str(OTHER)}, Start(KEY, "Hi", OTHER)),
        ({"type": "start", "key": str(KEY)}, Start(KEY, "")),
        ({"type": "turn", "key": str(KEY), "prompt": "And?"}, TakeTurn(KEY, "And?")),
        ({"type": "vote", "outcome": "tie"}, CastVote("tie")),
        ({"type": "vote"}, CastVote("")),
        ({"type": "feedback"}, GiveFeedback()),
        ({"type": "feedback", "reasons": ["useful"], "comment": "so"}, GiveFeedback(("useful",), "so")),
        ({"type": "stop"}, Stop()),
        ({"type": "retry"}, Retry()),
        ({"type": "abstain"}, Abstain()),
        ({"type": "sync", "unknown": {"fields": ["are", "ignored"]}}, Sync()),
    ],
)
def test_each_frame_is_its_request(frame, request_):
    assert parse(frame) == request_


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (None, "object"),
        ("start", "object"),
        ([{"type": "stop"}], "object"),
        ({}, "type"),
        ({"type": None}, "type"),
        ({"type": ["stop"]}, "type"),
        ({"type": "state"}, "type"),
        ({"type": "Stop"}, "type"),
        ({"type": "start"}, "key"),
        ({"type": "start", "key": "1"}, "key"),
        ({"type": "start", "key": 7, "prompt": "x"}, "key"),
        ({"type": "start", "key": str(KEY), "prompt": None}, "prompt"),
        ({"type": "start", "key": str(KEY), "prompt": "x", "rematch_of": "last"}, "rematch_of"),
        ({"type": "start", "key": str(KEY), "prompt": "x", "rematch_of": {"a": 1}}, "rematch_of"),
        ({"type": "turn", "key": str(KEY), "prompt": ["x"]}, "prompt"),
        ({"type": "vote", "outcome": True}, "outcome"),
        ({"type": "feedback", "reasons": "useful"}, "reasons"),
        ({"type": "feedback", "reasons": ["useful", None]}, "reasons"),
        ({"type": "feedback", "reasons": {"useful": 1}}, "reasons"),
        ({"type": "feedback", "comment": 3.5}, "comment"),
    ],
)
def test_a_refusal_names_what_is_wrong(frame, complaint):
    with pytest.raises(FrameError, match=complaint):
        parse(frame)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.uuids().map(str),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
near_frames = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS) | json_values},
    optional=dict.fromkeys(("key", "prompt", "rematch_of", "outcome", "reasons", "comment"), json_values),
)


@settings(deadline=None, max_examples=150, database=None, derandomize=True)
@given(json_values | near_frames)
def test_whatever_arrives_is_a_request_or_is_refused(frame):
    with contextlib.suppress(FrameError):
        assert isinstance(parse(frame), typing.get_args(Request))


def test_every_kind_of_request_can_be_asked_for():
    fields = {"key": str(KEY), "prompt": "x", "outcome": "a"}
    assert {type(parse({"type": kind, **fields})) for kind in KINDS} == set(typing.get_args(Request))


def test_a_prompt_of_the_greatest_length_fits_into_a_frame(settings):
    """Even when each of its characters is escaped."""
    assert settings.PROMPT_LIMIT * len("\\u2028") <= protocol.MAX_FRAME_CHARACTERS
