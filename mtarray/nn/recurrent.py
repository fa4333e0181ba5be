"""Recurrent layers and cells. All steps of a layer are one op of `mtarray.recurrence`."""

from __future__ import annotations

import math
from typing import Any

from .. import Array, concat, matmul, permute_dims, recurrence, stack
from .._hints import unbuilt
from . import functional as F
from . import init
from .module import Module
from .parameter import empty

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _run(layer: Any, operands: tuple[Any, Any, Any, Any], first: tuple[Any, ...], reverse: bool) -> tuple[Array, ...]:
    """States, and of LSTM cells, of all steps. first: those before, if they are given."""
    h, c = (*first, None, None)[:2]
    if layer._kind == "LSTM":
        return recurrence.lstm(*operands, h, c, reverse)
    if layer._kind == "GRU":
        return (recurrence.gru(*operands, h, reverse),)
    return (recurrence.rnn(*operands, h, reverse, layer.nonlinearity),)


class _Recurrent(Module):
    _kind = ""
    nonlinearity = "tanh"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **others: Any,
    ) -> None:
        super().__init__()
        unbuilt(self._kind, others, {"proj_size": "apply a Linear to the output of each layer"} if self._kind == "LSTM" else {})
        if hidden_size < 1 or num_layers < 1:
            raise ValueError(f"{self._kind}: hidden_size={hidden_size} and num_layers={num_layers} must be at least 1")
        if not 0.0 <= dropout <= 1.0:
            raise ValueError(f"{self._kind}: dropout={dropout} must be in [0, 1]")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        rows = _GATES[self._kind] * hidden_size
        directions = 2 if bidirectional else 1
        for suffix, layer in self._runs():
            inputs = input_size if layer == 0 else hidden_size * directions
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, inputs), "weight_hh": (rows, hidden_size)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_{suffix}", empty(shape, dtype, device, self._kind))
        self.reset_parameters()

    def _runs(self) -> list[tuple[str, int]]:
        """Of each layer and direction, in the order of states: what ends the names of its parameters, and the layer."""
        ends = ("", "_reverse") if self.bidirectional else ("",)
        return [(f"l{k}{end}", k) for k in range(self.num_layers) for end in ends]

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly within 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _step(self, suffix: str, x: Array, first: tuple[Any, ...]) -> tuple[Array, Any]:
        """All steps of a layer in one direction: states, and cells or None."""
        own = self.__dict__
        projected = matmul(x, own[f"weight_ih_{suffix}"].T)
        biases = (own[f"bias_ih_{suffix}"], own[f"bias_hh_{suffix}"]) if self.bias else (None, None)
        found = _run(self, (projected, own[f"weight_hh_{suffix}"], *biases), first, suffix.endswith("_reverse"))
        return found[0], found[1] if len(found) > 1 else None

    def _forward(self, x: Any, hx: tuple[Any, ...] | None) -> tuple[Array, tuple[Array, ...]]:
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{self._kind}: the input must be {'(batch, steps, features)' if self.batch_first else '(steps, batch, features)'} or "
                f"(steps, features), with {self.input_size} features; it has shape {x.shape}"
            )
        alone = x.ndim == 2
        x = x[:, None, :] if alone else permute_dims(x, (1, 0, 2)) if self.batch_first else x
        if not x.shape[0]:
            raise ValueError(f"{self._kind}: a sequence needs at least one step; the input has shape {x.shape}")
        runs = self._runs()
        expected = (len(runs), x.shape[1], self.hidden_size)
        if hx is not None:
            states = []
            for name, state in zip(("h_0", "c_0"), hx):
                if state.shape != (expected if not alone else (expected[0], expected[2])):
                    raise ValueError(
                        f"{self._kind}: {name} has shape {state.shape}; expected {expected if not alone else (expected[0], expected[2])}, "
                        "(layers * directions, batch, hidden_size)"
                    )
                states.append(state[:, None, :] if alone else state)
            hx = tuple(states)
        last: list[tuple[Array, ...]] = []
        for layer in range(self.num_layers):
            outputs = []
            for suffix, _ in [r for r in runs if r[1] == layer]:
                first = () if hx is None else tuple([state[len(last)] for state in hx])
                h, c = self._step(suffix, x, first)
                end = 0 if suffix.endswith("_reverse") else -1
                last.append((h[end],) if c is None else (h[end], c[end]))
                outputs.append(h)
            x = outputs[0] if len(outputs) == 1 else concat(outputs, axis=-1)
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        finals = tuple([stack(list(parts)) for parts in zip(*last)])
        if alone:
            return x[:, 0, :], tuple([f[:, 0, :] for f in finals])
        return (permute_dims(x, (1, 0, 2)) if self.batch_first else x), finals

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0), ("bidirectional", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(_Recurrent):
    """Plain recurrent layers: state = tanh(W_ih x + b_ih + W_hh state + b_hh) for each step of a sequence.

    Input (steps, batch, input_size), with batch_first (batch, steps, input_size), or (steps, input_size). Returns the states of the last
    layer of all steps, (steps, batch, directions * hidden_size), and the last states of all layers, (num_layers * directions, batch,
    hidden_size), which are also what `hx` gives in the beginning (by default 0). nonlinearity: "tanh" or "relu". dropout: between layers,
    in training. Parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, for further layers l1 ..., of the other direction l0_reverse
    ..., all uniform within 1 / sqrt(hidden_size) at first. ValueError for shapes that do not fit.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> output, state = nn.RNN(3, 5, num_layers=2)(xp.ones((7, 2, 3), dtype=xp.float32))
    >>> output.shape, state.shape
    ((7, 2, 5), (2, 2, 5))
    """

    _kind = "RNN"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity={nonlinearity!r} must be 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> tuple[Array, Array]:
        """(output, last states)"""
        output, (h,) = self._forward(input, None if hx is None else (hx,))
        return output, h


class GRU(_Recurrent):
    """Gated recurrent units (Cho et al. 2014), in layers.

    Shapes, arguments and parameters are those of `RNN`, with 3 * hidden_size rows of weights.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> output, state = nn.GRU(3, 5, bidirectional=True)(xp.ones((7, 2, 3), dtype=xp.float32))
    >>> output.shape, state.shape
    ((7, 2, 10), (2, 2, 5))
    """

    _kind = "GRU"

    def forward(self, input: Any, hx: Any = None) -> tuple[Array, Array]:
        """(output, last states)"""
        output, (h,) = self._forward(input, None if hx is None else (hx,))
        return output, h


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter, Schmidhuber 1997), in layers; shapes, arguments and parameters as of `RNN`, with 4 * hidden_size
    rows of weights, and a pair in the place of a state: states and cells.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> output, (state, cell) = nn.LSTM(3, 5, batch_first=True)(xp.ones((2, 7, 3), dtype=xp.float32))
    >>> output.shape, state.shape, cell.shape
    ((2, 7, 5), (1, 2, 5), (1, 2, 5))
    """

    _kind = "LSTM"

    def forward(self, input: Any, hx: Any = None) -> tuple[Array, tuple[Array, Array]]:
        """(output, (last states, last cells))"""
        output, (h, c) = self._forward(input, None if hx is None else tuple(hx))
        return output, (h, c)


class _Cell(Module):
    _kind = ""
    nonlinearity = "tanh"
    weight_ih: Array
    weight_hh: Array
    bias_ih: Array | None
    bias_hh: Array | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows, where = _GATES[self._kind] * hidden_size, type(self).__name__
        self.weight_ih = empty((rows, input_size), dtype, device, where)
        self.weight_hh = empty((rows, hidden_size), dtype, device, where)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, empty((rows,), dtype, device, where) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters uniformly within 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def _next(self, x: Any, states: tuple[Any, ...]) -> tuple[Array, ...]:
        where = type(self).__name__
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(f"{where}: the input must be (batch, {self.input_size}) or ({self.input_size},); it has shape {x.shape}")
        expected = (*x.shape[:-1], self.hidden_size)
        for name, state in zip(("hx", "cx"), states):
            if state.shape != expected:
                raise ValueError(f"{where}: {name} has shape {state.shape}; expected {expected} for an input of shape {x.shape}")
        alone = x.ndim == 1
        if alone:
            x, states = x[None, :], tuple([state[None, :] for state in states])
        projected = matmul(x, self.weight_ih.T)[None, ...]
        found = _run(self, (projected, self.weight_hh, self.bias_ih, self.bias_hh), states, False)
        return tuple([y[0, 0] if alone else y[0] for y in found])

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}{'' if self.bias else ', bias=False'}"
        return text if self.nonlinearity == "tanh" else f"{text}, nonlinearity={self.nonlinearity}"


class RNNCell(_Cell):
    """One step of `RNN`: (batch, input_size) and a state (batch, hidden_size), by default 0, give the next state; or vectors.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.RNNCell(3, 5)(xp.ones((2, 3), dtype=xp.float32)).shape
    (2, 5)
    """

    _kind = "RNN"

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNNCell: nonlinearity={nonlinearity!r} must be 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Any, hx: Any = None) -> Array:
        """The next state."""
        return self._next(input, () if hx is None else (hx,))[0]


class GRUCell(_Cell):
    """One step of `GRU`: (batch, input_size) and a state (batch, hidden_size), by default 0, give the next state; or vectors.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> nn.GRUCell(3, 5)(xp.ones((2, 3), dtype=xp.float32)).shape
    (2, 5)
    """

    _kind = "GRU"

    def forward(self, input: Any, hx: Any = None) -> Array:
        """The next state."""
        return self._next(input, () if hx is None else (hx,))[0]


class LSTMCell(_Cell):
    """One step of `LSTM`: (batch, input_size) and a pair of state and cell, (batch, hidden_size), by default 0, give the next pair.

    >>> import mtarray as xp
    >>> from mtarray import nn
    >>> state, cell = nn.LSTMCell(3, 5)(xp.ones((2, 3), dtype=xp.float32))
    >>> state.shape, cell.shape
    ((2, 5), (2, 5))
    """

    _kind = "LSTM"

    def forward(self, input: Any, hx: Any = None) -> tuple[Array, Array]:
        """(next state, next cell)"""
        h, c = self._next(input, () if hx is None else tuple(hx))
        return h, c
