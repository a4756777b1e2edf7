"""Writes a network for PyTorch, as TorchScript and as torch.export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional

from models.layers import PIXELS, PROBABILITIES, Layer, Layers

PLAIN: dict[str, Callable[..., torch.Tensor]] = {
    "relu": functional.relu,
    "relu6": functional.relu6,
    "max_pool": lambda x: functional.max_pool2d(x, 2),
    "average_pool": lambda x: functional.avg_pool2d(x, 2),
    "add": torch.add,
    "mean": lambda x: x.mean((2, 3)),
    "softmax": lambda x: functional.softmax(x, 1),
}


class Network(torch.nn.Module):  # type: ignore[misc]
    """Pixels [n, height, width, 3] in 0..255 to a dict with `probabilities` [n, classes], or logits."""

    def __init__(self, network: Layers) -> None:
        super().__init__()
        self._layers = network.layers
        for layer in self._layers:
            if layer.has_weights:
                self.register_buffer(f"{layer.name}_kernel", torch.tensor(layer.kernel))
                self.register_buffer(f"{layer.name}_bias", torch.tensor(layer.bias))

    def forward(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        values = {PIXELS: pixels.permute(0, 3, 1, 2)}
        for layer in self._layers:
            values[layer.name] = self._computed(layer, *(values[name] for name in layer.inputs))
        return {PROBABILITIES: values[self._layers[-1].name]}

    def _computed(self, layer: Layer, *inputs: torch.Tensor) -> torch.Tensor:
        match layer.kind:
            case "scale":
                return inputs[0] / layer.divisor - layer.less
            case "convolution":
                return self._convolved(layer, *inputs)
            case "dense":
                kernel, bias = self._weights(layer)
                return torch.addmm(bias, *inputs, kernel)
            case kind:
                return PLAIN[kind](*inputs)

    def _convolved(self, layer: Layer, x: torch.Tensor) -> torch.Tensor:
        above, left, below, right = layer.padding
        padding = (above, left)
        if padding != (below, right):
            x, padding = functional.pad(x, (left, right, above, below)), (0, 0)
        return functional.conv2d(x, *self._weights(layer), layer.stride, padding, groups=layer.groups)

    def _weights(self, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
        return self.get_buffer(f"{layer.name}_kernel"), self.get_buffer(f"{layer.name}_bias")


def write_torchscript(network: Layers, path: Path) -> None:
    """Write the traced network, which needs no Python code to run."""
    traced = torch.jit.trace(Network(network).eval(), _some_pixels(network), strict=False)  # it gives a dict
    torch.jit.save(traced, str(path))


def write_torch_export(network: Layers, path: Path) -> None:
    """Write the exported network, for any batch size."""
    any_batch = {PIXELS: {0: torch.export.Dim("n", min=1)}}
    program = torch.export.export(Network(network).eval(), (_some_pixels(network),), dynamic_shapes=any_batch)
    torch.export.save(program, str(path))


def _some_pixels(network: Layers) -> torch.Tensor:
    """Zeros [2, height, width, 3]: torch would fix a batch size of one in the file."""
    return torch.zeros(2, *network.sides_px, 3)
