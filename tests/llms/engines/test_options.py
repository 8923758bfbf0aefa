from typing import Any

import pytest

from llms.engines.huggingface.options import HuggingFaceOptions
from llms.engines.options import BadOptions, read_options


def test_nothing_given_means_the_defaults() -> None:
    assert read_options(HuggingFaceOptions, {}) == HuggingFaceOptions()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dtype": "int4"}, "dtype must be one of 'auto', 'float32'"),
        ({"device": "tpu"}, "device must be auto, cpu"),
        ({"device": 0}, "device must be text"),
        ({"quantization": "int8-dynamic", "device": "cuda:0"}, "works on the cpu only"),
        ({"quantization": "int8-dynamic", "dtype": "bfloat16"}, "starts from float32"),
        ({"max_context": 10}, "max_context must be at least 64"),
        ({"max_context": 4096, "cache_tokens": 1024}, "max_context must not exceed cache_tokens"),
        ({"max_concurrent": 0}, "max_concurrent must be at least 1"),
        ({"max_concurrent": "8"}, "max_concurrent must be a whole number"),
        ({"max_concurrent": True}, "max_concurrent must be a whole number"),
        ({"cache_tokens": 1.5}, "cache_tokens must be a whole number"),
        ({"trust_remote_code": True}, "Unknown option trust_remote_code; known are dtype"),
    ],
)
def test_a_bad_value_is_refused_loudly(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadOptions, match=complaint):
        read_options(HuggingFaceOptions, options)
