"""Attention and transformer blocks against PyTorch's with the same weights; masks; generation with a cache."""

from typing import Any

import numpy as np
import pytest

import mtarray as xp
from mtarray import autodiff, nn

torch = pytest.importorskip("torch")
F = nn.functional
RNG = np.random.default_rng(5)


def same_weights(ours: Any, theirs: Any) -> tuple[Any, Any]:
    theirs.load_state_dict({k: torch.from_numpy(np.asarray(v).copy()) for k, v in ours.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return ours, theirs


def close(a: Any, b: Any, tolerance: float = 1e-10) -> None:
    assert a.shape == tuple(b.shape)
    np.testing.assert_allclose(np.asarray(a.detach()), b.detach().numpy(), rtol=tolerance, atol=tolerance)


def agree(ours: Any, theirs: Any, xs: list[np.ndarray], call: Any) -> None:
    """Results and gradients of call(module, *arrays), which returns a tuple with None for what there is not."""
    mine, peers = [xp.asarray(x, copy=True) for x in xs], [torch.tensor(x, requires_grad=True) for x in xs]
    for x in mine:
        x.requires_grad = True
    with torch.enable_grad():
        found, expected = call(ours, *mine), call(theirs, *peers)
        loss, peer = 0.0, 0.0
        for a, b in zip(found, expected, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                close(a, b)
                w = RNG.normal(size=a.shape)
                loss, peer = loss + xp.sum(a * xp.asarray(w)), peer + (b * torch.tensor(w)).sum()
        peer.backward()
    loss.backward()
    for x, t in [*zip(mine, peers), *((p, theirs.get_parameter(k)) for k, p in ours.named_parameters())]:
        np.testing.assert_allclose(np.asarray(x.grad), t.grad.numpy(), rtol=1e-8, atol=1e-8)


# ---------------------------------------------------------------------- the function

BOOLEAN = RNG.random((3, 1, 4, 6)) < 0.6
BOOLEAN[..., 0] = True


@pytest.mark.parametrize(
    ("mask", "options"),
    [
        (None, {}),
        (None, {"is_causal": True}),
        (None, {"scale": 0.3}),
        (BOOLEAN, {}),
        (RNG.normal(size=(4, 6)), {}),
        (RNG.normal(size=(2, 1, 6)), {}),
    ],
    ids=["plain", "causal", "scale", "bool", "added", "added-broadcast"],
)
def test_function(mask: Any, options: dict[str, Any]) -> None:
    q, k, v = RNG.normal(size=(3, 2, 4, 5)), RNG.normal(size=(3, 2, 6, 5)), RNG.normal(size=(3, 2, 6, 7))
    expected = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, (q, k, v)), attn_mask=None if mask is None else torch.tensor(mask), **options
    )
    close(
        F.scaled_dot_product_attention(*map(xp.asarray, (q, k, v)), attn_mask=None if mask is None else xp.asarray(mask), **options),
        expected,
    )


def test_function_derivatives() -> None:
    arrays = [xp.asarray(RNG.normal(size=s)) for s in ((2, 3, 2), (2, 3, 2), (2, 3, 1))]
    mask = xp.asarray([[True, False, True], [False, False, False], [True, True, True]])
    autodiff.check_grads(lambda *a: F.scaled_dot_product_attention(*a, is_causal=True), tuple(arrays), order=2)
    autodiff.check_grads(lambda *a: F.scaled_dot_product_attention(*a, attn_mask=mask), tuple(arrays), order=2)


def test_no_key_counts() -> None:
    """A query without keys gives 0, and no NaN goes back; as in PyTorch. In a layer that returns weights it is NaN, as there."""
    q, k, v = (RNG.normal(size=(1, 3, 2)) for _ in range(3))
    mask = np.array([[True, True, False], [False, False, False], [True, False, False]])
    for m in (mask, np.where(mask, 0.0, -np.inf)):
        expected = torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, (q, k, v)), attn_mask=torch.tensor(m))
        x = xp.asarray(q, copy=True)
        x.requires_grad = True
        y = F.scaled_dot_product_attention(x, xp.asarray(k), xp.asarray(v), attn_mask=xp.asarray(m))
        close(y, expected)
        assert y[0, 1].detach().tolist() == [0.0, 0.0]
        xp.sum(y).backward()
        assert bool(xp.all(xp.isfinite(x.grad)))
    ours, theirs = same_weights(nn.MultiheadAttention(2, 1, dtype=xp.float64), torch.nn.MultiheadAttention(2, 1, dtype=torch.float64))
    for need in (True, False):
        a = ours(*(xp.asarray(q[0]) for _ in range(3)), attn_mask=xp.asarray(~mask), need_weights=need)[0].detach()
        b = theirs(*(torch.tensor(q[0]) for _ in range(3)), attn_mask=torch.tensor(~mask), need_weights=need)[0]
        close(a, b)


# ---------------------------------------------------------------------- the layer

OPTIONS = [
    {}, {"batch_first": True}, {"bias": False}, {"kdim": 3, "vdim": 5}, {"add_bias_kv": True, "add_zero_attn": True},
    {"add_bias_kv": True, "batch_first": True, "bias": False},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("weights", ["mean", "each", "none"])
def test_layer(options: dict[str, Any], weights: str) -> None:
    """With a float mask and padding, of different lengths of queries and keys."""
    ours = nn.MultiheadAttention(4, 2, dtype=xp.float64, **options)
    for p in ours.parameters():  # biases begin as 0
        nn.init.normal_(p)
    ours, theirs = same_weights(ours, torch.nn.MultiheadAttention(4, 2, dtype=torch.float64, **options))
    sizes = [(3, 2, 4), (5, 2, options.get("kdim", 4)), (5, 2, options.get("vdim", 4))]
    arrays = [RNG.normal(size=(s[1], s[0], s[2]) if options.get("batch_first") else s) for s in sizes]
    mask, padding = RNG.normal(size=(4, 3, 5)), np.zeros((2, 5))
    padding[0, 2] = -np.inf

    def call(module: Any, *xs: Any) -> Any:
        array = xp.asarray if module is ours else torch.tensor
        more = {"need_weights": weights != "none", "average_attn_weights": weights == "mean"}
        return module(*xs, key_padding_mask=array(padding), attn_mask=array(mask), **more)

    agree(ours, theirs, arrays, call)


@pytest.mark.parametrize("need_weights", [True, False])
def test_boolean_masks(need_weights: bool) -> None:
    """True where a key does not count; one tensor for queries, keys and values; without a batch."""
    ours, theirs = same_weights(
        nn.MultiheadAttention(4, 2, batch_first=True, dtype=xp.float64),
        torch.nn.MultiheadAttention(4, 2, batch_first=True, dtype=torch.float64),
    )
    mask, padding = ~np.tri(5, dtype=bool), np.zeros((2, 5), bool)
    padding[1, 3:] = True

    def call(module: Any, x: Any) -> Any:
        array = xp.asarray if module is ours else torch.tensor
        masks = {"attn_mask": array(mask)}
        if x.ndim == 3:
            masks["key_padding_mask"] = array(padding)
        return module(x, x, x, need_weights=need_weights, **masks)

    agree(ours, theirs, [RNG.normal(size=(2, 5, 4))], call)
    agree(ours, theirs, [RNG.normal(size=(5, 4))], call)
    x = xp.asarray(RNG.normal(size=(2, 5, 4)))
    causal = ours(x, x, x, is_causal=True)[0].detach()
    np.testing.assert_allclose(
        np.asarray(causal), np.asarray(ours(x, x, x, attn_mask=xp.asarray(mask))[0].detach()), rtol=1e-12, atol=1e-12
    )


def test_layer_derivatives() -> None:
    layer = nn.MultiHeadAttention(2, 1, dtype=xp.float64)  # the other spelling of the same
    x = xp.asarray(RNG.normal(size=(3, 1, 2)))
    autodiff.check_grads(lambda m, x: m(x, x, x, is_causal=True), (layer, x), order=2)


# ---------------------------------------------------------------------- the block


@pytest.mark.parametrize(
    "options", [{}, {"norm_first": True, "batch_first": True, "activation": "gelu"}, {"bias": False, "layer_norm_eps": 1e-3}], ids=str
)
def test_block(options: dict[str, Any]) -> None:
    ours, theirs = same_weights(
        nn.TransformerBlock(4, 2, 6, dropout=0.0, dtype=xp.float64, **options),
        torch.nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, dtype=torch.float64, **options),
    )
    mask = ~np.tri(5, dtype=bool)
    agree(ours, theirs, [RNG.normal(size=(5, 5, 4))], lambda m, x: (m(x, (xp.asarray if m is ours else torch.tensor)(mask)),))
    x = xp.asarray(RNG.normal(size=(5, 5, 4)))
    ours.causal = True
    np.testing.assert_allclose(np.asarray(ours(x).detach()), np.asarray(ours(x, xp.asarray(mask)).detach()), rtol=1e-12, atol=1e-12)


def test_block_derivatives() -> None:
    block = nn.TransformerBlock(2, 1, 3, dropout=0.0, activation="gelu", norm_first=True, causal=True, dtype=xp.float64)
    autodiff.check_grads(lambda m, x: m(x), (block, xp.asarray(RNG.normal(size=(3, 1, 2)))), order=2)


def test_block_float32_and_dropout() -> None:
    block = nn.TransformerBlock(4, 2, 8, dropout=0.5, batch_first=True)
    x = xp.asarray(RNG.normal(size=(2, 3, 4)).astype(np.float32))
    assert block(x).dtype == xp.float32
    assert bool(xp.any(block(x) != block(x)))
    block.eval()
    assert bool(xp.all(block(x) == block(x)))


# ---------------------------------------------------------------------- generation


@pytest.mark.parametrize("pieces", [[1] * 7, [3, 1, 1, 2], [7]], ids=str)
@pytest.mark.parametrize("tracked", [True, False])
def test_cache_is_full_attention(pieces: list[int], tracked: bool) -> None:
    """A sequence given piece by piece, through two blocks with a cache each, without and with derivatives."""
    blocks = [nn.TransformerBlock(4, 2, 8, dropout=0.0, batch_first=True, causal=True, dtype=xp.float64) for _ in range(2)]
    x = xp.asarray(RNG.normal(size=(3, 7, 4)))
    whole = blocks[1](blocks[0](x))

    def generate() -> Any:
        caches = [nn.KeyValueCache() for _ in blocks]
        found, start = [], 0
        for n in pieces:
            y = x[:, start : start + n]
            for block, cache in zip(blocks, caches):
                y = block(y, cache=cache)
            found.append(y)
            start += n
        assert [c.length for c in caches] == [7, 7]
        return xp.concat(found, axis=1)

    if not tracked:
        with autodiff.no_grad():
            np.testing.assert_allclose(np.asarray(generate()), np.asarray(whole.detach()), rtol=1e-12, atol=1e-12)
        return
    xp.sum(whole**2).backward()
    expected = [np.asarray(p.grad) for p in blocks[0].parameters()]
    for p in blocks[0].parameters():
        p.zero_grad()
    xp.sum(generate() ** 2).backward()
    for p, g in zip(blocks[0].parameters(), expected, strict=True):
        np.testing.assert_allclose(np.asarray(p.grad), g, rtol=1e-9, atol=1e-10)


def test_cache_grows_and_resets() -> None:
    layer, cache = nn.MultiheadAttention(2, 1, batch_first=True), nn.KeyValueCache()
    x = xp.ones((1, 1, 2), dtype=xp.float32)
    with autodiff.no_grad():
        for n in range(1, 20):
            layer(x, x, x, cache=cache, is_causal=True)
            assert cache.length == n
        with pytest.raises(ValueError, match=r"reset\(\) it"):
            cache.extend(xp.ones((2, 1, 1, 2)), xp.ones((2, 1, 1, 2)))
        cache.reset()
        assert cache.length == 0
        layer(xp.ones((2, 1, 2), dtype=xp.float32), *(xp.ones((2, 1, 2), dtype=xp.float32),) * 2, cache=cache)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda x: nn.MultiheadAttention(5, 2), "does not divide into num_heads=2"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x[:, :, :3], x), "must have 4, 4 and 4 features"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x[:2], x), "the same length"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x, x, attn_mask=xp.ones((2, 3))), r"attn_mask has shape \(2, 3\); expected \(3, 3\)"),
        (lambda x: nn.MultiheadAttention(4, 2)(x, x, x, key_padding_mask=xp.ones((3, 2))), r"key_padding_mask has shape \(3, 2\)"),
        (lambda x: nn.TransformerBlock(4, 2, activation="sine"), "activation='sine'"),
        (lambda x: F.scaled_dot_product_attention(x, x[..., :3], x), "the same features"),
        (lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=xp.ones((2, 2)), is_causal=True), "exclude each other"),
        (lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=xp.ones((3, 3))), "it must broadcast"),
    ],
)
def test_errors(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call(xp.ones((3, 2, 4), dtype=xp.float32))
