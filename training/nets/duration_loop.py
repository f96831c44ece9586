"""The duration predictor's loop over tokens, in a form that exports as one loop.

Input   condition [B, N, V] = [aug | speaker | emotion]
Output  log durations log(1 + frames) [B, N]
State   inside one call

Same maths as `DurationPredictor.infer`; the part of the first LSTM layer that sees the condition is computed
for all tokens at once, so a turn of the loop is six small products. `free_running` is written for
`torch.jit.script`, which is also why annotations are not postponed here: the script compiler reads them.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.nets.variance import DurationPredictor

_WEIGHTS = (
    "first_weight",
    "first_bias",
    "second_weight",
    "second_bias",
    "lower_input",
    "lower_weight",
    "upper_input",
    "upper_weight",
    "upper_bias",
    "out_weight",
    "out_bias",
)


def lstm_cell(gates: Tensor, cell: Tensor, units: int) -> tuple[Tensor, Tensor]:
    """Next hidden and cell state [B, units] of pre-activations [B, 4 units] in the order i, f, g, o."""
    # Slices at known places; `chunk` would compute them anew at every token of an exported loop.
    write = torch.sigmoid(gates[:, :units])
    keep = torch.sigmoid(gates[:, units : 2 * units])
    content = torch.tanh(gates[:, 2 * units : 3 * units])
    read = torch.sigmoid(gates[:, 3 * units :])
    cell = keep * cell + write * content
    return read * torch.tanh(cell), cell


def free_running(
    given: Tensor,
    units: int,
    first_weight: Tensor,
    first_bias: Tensor,
    second_weight: Tensor,
    second_bias: Tensor,
    lower_input: Tensor,
    lower_weight: Tensor,
    upper_input: Tensor,
    upper_weight: Tensor,
    upper_bias: Tensor,
    out_weight: Tensor,
    out_bias: Tensor,
) -> Tensor:
    """Log durations [B, N] of the condition's part of the first layer's gates, `given` [N, B, 4 units]."""
    value = torch.zeros_like(given[0, :, :1])
    lower_hidden = torch.zeros_like(given[0, :, :units])
    lower_cell, upper_hidden, upper_cell = lower_hidden, lower_hidden, lower_hidden
    values: list[Tensor] = []
    for token in range(given.size(0)):
        hidden = F.relu(value * first_weight + first_bias)
        hidden = F.relu(torch.addmm(second_bias, hidden, second_weight))
        gates = torch.addmm(given[token], hidden, lower_input) + torch.mm(lower_hidden, lower_weight)
        lower_hidden, lower_cell = lstm_cell(gates, lower_cell, units)
        gates = torch.addmm(upper_bias, lower_hidden, upper_input) + torch.mm(upper_hidden, upper_weight)
        upper_hidden, upper_cell = lstm_cell(gates, upper_cell, units)
        value = F.relu(torch.addmm(out_bias, upper_hidden, out_weight))
        values.append(value)
    return torch.cat(values, dim=1)


class DurationLoop(nn.Module):
    """Free-running duration prediction; copies the predictor's weights."""

    condition_weight: Tensor
    condition_bias: Tensor

    def __init__(self, predictor: DurationPredictor) -> None:
        """Copy the weights.

        Raises:
            ValueError: The prenet does not have exactly two layers.
        """
        super().__init__()
        linear = [layer for layer in predictor.prenet.fcs if isinstance(layer, nn.Linear)]
        if len(linear) != 2:
            raise ValueError(f"the duration prenet has {len(linear)} layers, expected 2")
        weight, n_prenet = predictor.lstm.get_parameter, linear[1].out_features
        tensors = {
            "first_weight": linear[0].weight,
            "first_bias": linear[0].bias,
            "second_weight": linear[1].weight,
            "second_bias": linear[1].bias,
            "condition_weight": weight("weight_ih_l0")[:, n_prenet:],
            "condition_bias": weight("bias_ih_l0") + weight("bias_hh_l0"),
            "lower_input": weight("weight_ih_l0")[:, :n_prenet],
            "lower_weight": weight("weight_hh_l0"),
            "upper_input": weight("weight_ih_l1"),
            "upper_weight": weight("weight_hh_l1"),
            "upper_bias": weight("bias_ih_l1") + weight("bias_hh_l1"),
            "out_weight": predictor.fc.weight,
            "out_bias": predictor.fc.bias,
        }
        for name, tensor in tensors.items():
            # Products want [in, out]: a transposition inside the exported loop would be done at every token.
            turned = tensor.detach().T if name in _WEIGHTS and tensor.dim() == 2 else tensor.detach()
            self.register_buffer(name, turned.clone(memory_format=torch.contiguous_format))
        self.units = predictor.lstm.hidden_size
        self._loop: Callable[..., Tensor] = free_running

    def script(self) -> None:
        """Compile the loop, so that tracing (the ONNX exporter) keeps it a loop and does not unroll it."""
        self._loop = torch.jit.script(free_running)

    def forward(self, condition: Tensor) -> Tensor:
        """Predict log durations [B, N] of the condition [B, N, V]."""
        given = F.linear(condition, self.condition_weight, self.condition_bias).transpose(0, 1)
        return self._loop(given, self.units, *(self.get_buffer(name) for name in _WEIGHTS))
