import pytest
import torch
from torch import nn

from llms.engines.base import LoadingFailed
from llms.engines.huggingface import quantization
from llms.engines.huggingface.quantization import EightBitLinear, quantize_linear_layers


@pytest.fixture
def layer() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Linear(48, 20)


@pytest.fixture
def small(layer: nn.Linear) -> nn.Module:
    model = nn.Sequential(layer)
    quantize_linear_layers(model)
    return model


def some_inputs(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def test_the_results_are_nearly_the_same(layer: nn.Linear, small: nn.Module) -> None:
    inputs = some_inputs(2, 5, 48)
    exact = layer(inputs)

    assert isinstance(small[0], EightBitLinear)
    assert (small(inputs) - exact).abs().max() < 0.03 * exact.abs().max()


@torch.no_grad()
def test_a_huge_neighbour_spoils_nothing(small: nn.Module) -> None:
    inputs = some_inputs(4, 48)
    alone = small(inputs[:1])
    inputs[1:] *= 1e4

    assert torch.equal(small(inputs)[:1], alone)


@torch.no_grad()
def test_empty_inputs_stay_empty(layer: nn.Linear, small: nn.Module) -> None:
    assert torch.equal(small(torch.zeros(3, 48)), layer.bias.expand(3, -1))


def test_a_processor_that_cannot_do_it_is_named(layer: nn.Linear, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> int:
        raise NotImplementedError("no such operator")

    monkeypatch.setattr(quantization, "_weight_levels", fail)

    with pytest.raises(LoadingFailed, match="x86"):
        quantize_linear_layers(nn.Sequential(layer))
