"""Every layer and loss, by how it is made of `torch.nn` and of `mtarray.nn` alike, and what it is called with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Draw = Callable[[np.random.Generator], Any]


def normal(*shape: int) -> Draw:
    return lambda rng: rng.normal(size=shape)


def probabilities(*shape: int) -> Draw:
    return lambda rng: rng.uniform(0.05, 0.95, size=shape)


def distributions(*shape: int) -> Draw:
    def draw(rng: np.random.Generator) -> Any:
        x = rng.uniform(0.1, 1.0, size=shape)
        return x / x.sum(axis=1, keepdims=True)

    return draw


def log_distributions(*shape: int) -> Draw:
    return lambda rng: np.log(distributions(*shape)(rng))


def integers(high: int, *shape: int) -> Draw:
    return lambda rng: rng.integers(0, high, size=shape)


def signs(*shape: int) -> Draw:
    return lambda rng: rng.choice([-1, 1], size=shape)


def spread(*shape: int) -> Draw:
    """Distinct numbers, far enough apart for differences of values: no window has two largest."""
    return lambda rng: rng.permutation(int(np.prod(shape))).reshape(shape) * 0.1


@dataclass(frozen=True)
class Case:
    """make(nn, array): the module, of either library; `array` makes constants of it. draws: its arguments."""

    name: str
    make: Callable[[Any, Callable[[Any], Any]], Any]
    draws: tuple[Draw, ...]

    @property
    def id(self) -> str:
        return self.name


def case(name: str, make: Callable[[Any], Any], *draws: Draw) -> Case:
    return Case(name, lambda nn, array: make(nn), draws)


def loss(name: str, draws: tuple[Draw, ...], **options: Any) -> Case:
    """A loss by its options; lists are weights."""

    def make(nn: Any, array: Callable[[Any], Any]) -> Any:
        return getattr(nn, name)(**{k: array(v) if isinstance(v, list) else v for k, v in options.items()})

    return Case("-".join([name, *(f"{k}={v}" for k, v in options.items())]), make, draws)


LAYERS = [
    case("Linear", lambda nn: nn.Linear(3, 4), normal(5, 3)),
    case("Linear-vector", lambda nn: nn.Linear(3, 4), normal(3)),
    case("Linear-stack", lambda nn: nn.Linear(3, 4), normal(2, 2, 3)),
    case("Linear-empty", lambda nn: nn.Linear(3, 4), normal(0, 3)),
    case("Linear-no-bias", lambda nn: nn.Linear(3, 4, bias=False), normal(5, 3)),
    case("Bilinear", lambda nn: nn.Bilinear(3, 2, 4), normal(5, 3), normal(5, 2)),
    case("LayerNorm", lambda nn: nn.LayerNorm(5), normal(3, 5)),
    case("LayerNorm-axes", lambda nn: nn.LayerNorm((3, 5), eps=1e-3), normal(2, 3, 5)),
    case("LayerNorm-no-bias", lambda nn: nn.LayerNorm(5, bias=False), normal(2, 3, 5)),
    case("LayerNorm-plain", lambda nn: nn.LayerNorm(5, elementwise_affine=False), normal(3, 5)),
    case("RMSNorm", lambda nn: nn.RMSNorm(5), normal(3, 5)),
    case("RMSNorm-plain", lambda nn: nn.RMSNorm(5, eps=1e-3, elementwise_affine=False), normal(3, 5)),
    case("GroupNorm", lambda nn: nn.GroupNorm(2, 4), normal(3, 4, 3)),
    case("GroupNorm-plain", lambda nn: nn.GroupNorm(2, 4, affine=False), normal(3, 4)),
    case("BatchNorm1d", lambda nn: nn.BatchNorm1d(3), normal(5, 3)),
    case("BatchNorm1d-length", lambda nn: nn.BatchNorm1d(3, affine=False), normal(2, 3, 4)),
    case("BatchNorm2d", lambda nn: nn.BatchNorm2d(3, eps=1e-3, momentum=None), normal(2, 3, 4, 2)),
    case("Bilinear-no-bias", lambda nn: nn.Bilinear(3, 2, 4, bias=False), normal(2, 2, 3), normal(2, 2, 2)),
    case("Identity", lambda nn: nn.Identity(54, unused=True), normal(5, 3)),
    case("Flatten", lambda nn: nn.Flatten(), normal(2, 3, 4)),
    case("Flatten-part", lambda nn: nn.Flatten(0, 1), normal(2, 3, 4)),
    case("Unflatten", lambda nn: nn.Unflatten(1, (2, 3)), normal(2, 6)),
    case("Unflatten-last", lambda nn: nn.Unflatten(-1, (2, -1)), normal(2, 6)),
    case("Embedding", lambda nn: nn.Embedding(6, 3), integers(6, 2, 4)),
    case("Embedding-padding", lambda nn: nn.Embedding(6, 3, padding_idx=-2), integers(6, 12)),
    Case("Embedding-pretrained", lambda nn, array: nn.Embedding.from_pretrained(array([[1.0, 2.0], [3.0, 4.0]]), False), (integers(2, 5),)),
    case("Dropout-0", lambda nn: nn.Dropout(0.0), normal(5, 3)),
    case("Dropout-eval", lambda nn: nn.Dropout(0.5).eval(), normal(5, 3)),
    case("Dropout1d-eval", lambda nn: nn.Dropout1d(0.5).eval(), normal(5, 3, 2)),
    case("Dropout2d-eval", lambda nn: nn.Dropout2d(0.5).eval(), normal(2, 3, 2, 2)),
    case("Conv1d", lambda nn: nn.Conv1d(2, 3, 3), normal(2, 2, 7)),
    case("Conv1d-options", lambda nn: nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False), normal(2, 4, 9)),
    case("Conv1d-same-circular", lambda nn: nn.Conv1d(2, 3, 4, padding="same", padding_mode="circular"), normal(2, 2, 7)),
    case("Conv2d", lambda nn: nn.Conv2d(2, 3, 3), normal(2, 2, 5, 6)),
    case("Conv2d-one-image", lambda nn: nn.Conv2d(2, 3, 3, padding="same"), normal(2, 4, 5)),
    case("Conv2d-options", lambda nn: nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), groups=2), normal(1, 2, 6, 5)),
    case("Conv2d-reflect", lambda nn: nn.Conv2d(1, 2, 3, padding=(1, 2), padding_mode="reflect"), normal(1, 1, 4, 5)),
    case("Conv2d-replicate", lambda nn: nn.Conv2d(1, 2, 3, padding=1, padding_mode="replicate"), normal(1, 1, 4, 4)),
    case("ConvTranspose1d", lambda nn: nn.ConvTranspose1d(2, 4, 3, stride=2, padding=1, output_padding=1, groups=2), normal(2, 2, 4)),
    case("ConvTranspose2d", lambda nn: nn.ConvTranspose2d(2, 3, 3), normal(2, 2, 3, 3)),
    case("ConvTranspose2d-options", lambda nn: nn.ConvTranspose2d(2, 2, (3, 2), stride=2, dilation=(1, 2), bias=False), normal(1, 2, 3, 3)),
    case("MaxPool1d", lambda nn: nn.MaxPool1d(2), spread(2, 2, 7)),
    case("MaxPool2d", lambda nn: nn.MaxPool2d(3, stride=2, padding=1), spread(1, 2, 5, 6)),
    case("MaxPool2d-ceil", lambda nn: nn.MaxPool2d((2, 3), ceil_mode=True), spread(1, 2, 5, 5)),
    case("AvgPool1d", lambda nn: nn.AvgPool1d(3, stride=2, padding=1), normal(2, 2, 7)),
    case("AvgPool2d", lambda nn: nn.AvgPool2d(2), normal(1, 2, 5, 6)),
    case("AvgPool2d-options", lambda nn: nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), normal(1, 2, 5, 6)),
    case("AdaptiveAvgPool1d", lambda nn: nn.AdaptiveAvgPool1d(3), normal(2, 2, 7)),
    case("AdaptiveAvgPool2d", lambda nn: nn.AdaptiveAvgPool2d((2, None)), normal(1, 2, 5, 3)),
    case("AdaptiveMaxPool1d", lambda nn: nn.AdaptiveMaxPool1d(3), spread(2, 2, 7)),
    case("AdaptiveMaxPool2d", lambda nn: nn.AdaptiveMaxPool2d(2), spread(1, 2, 5, 3)),
    case("ReLU", lambda nn: nn.ReLU(), normal(4, 3)),
    case("ReLU6", lambda nn: nn.ReLU6(), lambda rng: rng.normal(size=(4, 3)) * 6),
    case("LeakyReLU", lambda nn: nn.LeakyReLU(0.1), normal(4, 3)),
    case("PReLU", lambda nn: nn.PReLU(), normal(4, 3)),
    case("PReLU-channels", lambda nn: nn.PReLU(3), normal(2, 3, 2)),
    case("ELU", lambda nn: nn.ELU(0.7), normal(4, 3)),
    case("GELU", lambda nn: nn.GELU(), normal(4, 3)),
    case("GELU-tanh", lambda nn: nn.GELU(approximate="tanh"), normal(4, 3)),
    case("SiLU", lambda nn: nn.SiLU(), normal(4, 3)),
    case("Softplus", lambda nn: nn.Softplus(beta=2.0, threshold=1.5), normal(4, 3)),
    case("Tanh", lambda nn: nn.Tanh(), normal(4, 3)),
    case("Hardtanh", lambda nn: nn.Hardtanh(-0.5, 0.75), normal(4, 3)),
    case("Sigmoid", lambda nn: nn.Sigmoid(), normal(4, 3)),
    case("LogSigmoid", lambda nn: nn.LogSigmoid(), normal(4, 3)),
    case("Softmax", lambda nn: nn.Softmax(dim=1), normal(4, 3)),
    case("Softmax-0", lambda nn: nn.Softmax(dim=0), normal(4, 3, 2)),
    case("LogSoftmax", lambda nn: nn.LogSoftmax(dim=-1), normal(4, 3)),
    case("CosineSimilarity", lambda nn: nn.CosineSimilarity(dim=1), normal(4, 3), normal(4, 3)),
    case("Sequential", lambda nn: nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 2), nn.Sigmoid())), normal(4, 3)),
]  # fmt: skip

REDUCTIONS = ("mean", "sum", "none")
W = [0.5, 2.0, 1.0]
PAIRS = (normal(4, 3), normal(4, 3))
CHANCES = (probabilities(4, 3), probabilities(4, 3))
LOGITS = (normal(4, 3), probabilities(4, 3))
SCORES = (normal(6, 3), integers(3, 6))
LOGS = (log_distributions(6, 3), integers(3, 6))
VECTORS = (normal(6, 3), normal(6, 3), signs(6))

LOSSES = [
    *[loss(name, PAIRS, reduction=r) for name in ("MSELoss", "L1Loss") for r in REDUCTIONS],
    *[loss("HuberLoss", PAIRS, reduction=r, delta=0.5) for r in REDUCTIONS],
    *[loss("SmoothL1Loss", PAIRS, reduction=r, beta=beta) for r in REDUCTIONS for beta in (0.5, 0.0)],
    *[loss("BCELoss", CHANCES, reduction=r) for r in REDUCTIONS],
    loss("BCELoss", CHANCES, weight=W),
    *[loss("BCEWithLogitsLoss", LOGITS, reduction=r) for r in REDUCTIONS],
    loss("BCEWithLogitsLoss", LOGITS, weight=W, pos_weight=W),
    *[loss("KLDivLoss", (log_distributions(4, 3), distributions(4, 3)), reduction=r) for r in (*REDUCTIONS, "batchmean")],
    loss("KLDivLoss", (log_distributions(4, 3), log_distributions(4, 3)), log_target=True, reduction="sum"),
    *[loss("NLLLoss", LOGS, reduction=r) for r in REDUCTIONS],
    *[loss("NLLLoss", LOGS, reduction=r, weight=W, ignore_index=1) for r in REDUCTIONS],
    loss("NLLLoss", (normal(3), integers(3))),
    loss("NLLLoss", (normal(2, 3, 2, 2), integers(3, 2, 2, 2)), ignore_index=2),
    *[loss("CrossEntropyLoss", SCORES, reduction=r) for r in REDUCTIONS],
    *[loss("CrossEntropyLoss", SCORES, reduction=r, weight=W, ignore_index=1) for r in REDUCTIONS],
    *[loss("CrossEntropyLoss", SCORES, reduction=r, label_smoothing=0.1) for r in REDUCTIONS],
    *[loss("CrossEntropyLoss", SCORES, reduction=r, weight=W, ignore_index=0, label_smoothing=0.2) for r in REDUCTIONS],
    loss("CrossEntropyLoss", (normal(3), integers(3))),
    loss("CrossEntropyLoss", (normal(2, 3, 2, 2), integers(3, 2, 2, 2)), ignore_index=2),
    loss("CrossEntropyLoss", (normal(4, 3), distributions(4, 3)), reduction="sum"),
    loss("CrossEntropyLoss", (normal(4, 3, 2), distributions(4, 3, 2)), weight=W, label_smoothing=0.3),
    loss("CosineEmbeddingLoss", VECTORS, margin=0.1),
    loss("CosineEmbeddingLoss", VECTORS, reduction="sum"),
]

CASES = LAYERS + LOSSES
