"""A transformer that writes text character by character, learnt from any text file.

    python -m mtarray.examples.text --text book.txt

By default it reads the documentation of mtarray. It is measured in bits per character on the last tenth of the text, which it never learns
from, and at the end it goes on from lines of that tenth in its own words.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import mtarray as xp
from mtarray import Array, nn

from .._cli.group import refuse, refusing
from ._trainer import Finite, Measures, Run, Task, trainer

PROMPT = 16  # characters of the text it has not seen, which it goes on from


class Writer(nn.Module):
    """Numbers of characters (n, steps) -> scores of the character after each (n, steps, characters)."""

    def __init__(
        self, characters: int, context: int, width: int = 64, heads: int = 4, layers: int = 2, dropout: float = 0.1, device: Any = "cpu"
    ) -> None:
        super().__init__()
        self.context = context
        self.character = nn.Embedding(characters, width, device=device)
        self.place = nn.Embedding(context, width, device=device)
        options = {"batch_first": True, "norm_first": True, "causal": True, "device": device}
        self.blocks = nn.ModuleList([nn.TransformerBlock(width, heads, 4 * width, dropout, "gelu", **options) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, device=device)
        self.output = nn.Linear(width, characters, device=device)
        for embedding in (self.character, self.place):
            nn.init.normal_(embedding.weight, std=0.1)

    def forward(self, numbers: Any) -> Any:
        """The scores."""
        x = self.character(numbers) + self.place.weight[: numbers.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x))


def loss_of(model: nn.Module, windows: Array) -> Any:
    """The mean cross-entropy in nats of each character given those before it; windows: (n, context + 1)."""
    scores = model(windows[:, :-1])
    return nn.functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), windows[:, 1:].reshape(-1))


def windows_of(numbers: Array, context: int, first: int = 0) -> Array:
    """The text in windows that overlap in one character, (n, context + 1), from character `first` on."""
    count = (len(numbers) - first - 1) // context
    starts = first + context * xp.arange(count)
    return xp.take(numbers, (starts[:, None] + xp.arange(context + 1)[None, :]).reshape(-1)).reshape(count, context + 1)


def write(model: Writer, start: list[int], count: int, temperature: float, generator: xp.random.Generator) -> list[int]:
    """`start` and so many characters drawn after it, by the scores over `temperature`."""
    model.eval()
    numbers = list(start)
    device = model.output.weight.device
    with xp.autodiff.no_grad():
        for _ in range(count):
            seen = xp.asarray([numbers[-model.context :]], dtype=xp.int64, device=device)
            odds = nn.functional.softmax(model(seen)[0, -1] / temperature, -1).to_device("cpu")
            reached = xp.cumulative_sum(odds.astype(xp.float64))
            numbers.append(min(int(xp.searchsorted(reached, generator.random() * reached[-1])), len(odds) - 1))
    return numbers


def own_text() -> str:
    """The documentation: the pages in a clone of the project, the docstrings of what is public where it is installed."""
    pages = sorted((Path(xp.__file__).parent.parent / "docs").glob("*.md"))
    if pages:
        return "\n\n".join(page.read_text(encoding="utf-8") for page in pages)
    return "\n\n\n".join(f"{name}\n\n{doc}" for name in xp.__all__ if (doc := inspect.getdoc(getattr(xp, name))))


@trainer(epochs=20, batch_size=32, rate=0.003, fixed=("epochs",))
@click.option("--text", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The text to learn, UTF-8.")
@click.option("--context", type=click.IntRange(2), default=64, help="Characters that it looks back on.")
@click.option("--width", type=click.IntRange(1), default=64, help="Features of a character.")
@click.option("--heads", type=click.IntRange(1), default=4, help="Heads of attention; they share the width.")
@click.option("--layers", type=click.IntRange(1), default=2, help="Transformer blocks.")
@click.option("--sample", "length", type=click.IntRange(0), default=200, help="Characters that it writes at the end, three times.")
@click.option("--temperature", type=Finite(0, min_open=True), default=0.7, help="Of what it writes: lower is surer.")
def main(run: Run, file: Path | None, context: int, width: int, heads: int, layers: int, length: int, temperature: float) -> None:
    """A transformer that writes text character by character."""
    if width % heads:
        refuse(f"--width {width} must be a multiple of --heads {heads}, which share it")
    name = "the documentation of mtarray" if file is None else str(file)
    with refusing(OSError):
        try:
            text = own_text() if file is None else file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            refuse(f"{file}: this is not text in UTF-8 ({error.reason} at byte {error.start})")
    characters = sorted(set(text))
    places = {c: i for i, c in enumerate(characters)}
    numbers = xp.asarray([places[c] for c in text], dtype=xp.int64)
    border = len(numbers) - len(numbers) // 10
    if len(numbers) - border <= context:
        refuse(f"{name}: {len(text)} characters are too few; a tenth of them must be more than --context {context}")
    learnt, kept = numbers[:border], windows_of(numbers[border:], context).to_device(run.device)

    nn.manual_seed(run.seed)
    model = Writer(len(characters), context, width, heads, layers, device=run.device)
    optimizer = nn.optim.AdamW(model.parameters(), lr=run.rate, weight_decay=0.01)
    schedule = nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, run.epochs)
    steps = -(-((border - context - 1) // context) // run.batch_size)

    def once(step: Callable[[], None]) -> Measures:
        model.train()
        # Where windows begin changes from epoch to epoch, as their order does.
        draw = xp.random.default_rng([run.seed, len(run.history)])
        windows = windows_of(learnt, context, int(draw.integers(context)))
        windows = windows[draw.permutation(len(windows))].to_device(run.device)
        total = 0.0
        for start in range(0, len(windows), run.batch_size):
            batch = windows[start : start + run.batch_size]
            optimizer.zero_grad()
            loss = loss_of(model, batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += float(loss) * len(batch)
            step()
        return {"loss": total / len(windows), "validation bits/character": validate()}

    def validate() -> float:
        model.eval()
        with xp.autodiff.no_grad():
            parts = [kept[i : i + 64] for i in range(0, len(kept), 64)]
            return sum(float(loss_of(model, part)) * len(part) for part in parts) / len(kept) / math.log(2)

    run.say(f"{name}: {len(text)} characters, {len(characters)} different; {run.device}")
    run.train(Task(model, optimizer, once, steps, schedule))
    run.summary(parameters=sum(p.size for p in model.parameters()))
    if length and not run.quiet:
        asked = text[border:]
        lines = [i for i, c in enumerate(asked[: -PROMPT - 1]) if c == "\n" and asked[i + 1] != "\n"] or [0]
        generator = xp.random.default_rng(run.seed)
        for start in lines[:: max(1, len(lines) // 3)][:3]:
            prompt = asked[start : start + PROMPT].lstrip("\n")
            written = write(model, [places[c] for c in prompt], length, temperature, generator)
            run.say(f"after {prompt!r} it writes:")
            run.say("".join(characters[i] for i in written[len(prompt) :]) + "\n")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        epochs = range(1, len(run.history) + 1)
        axes.plot(epochs, [x / math.log(2) for x in run.column("loss")], color="tab:gray", label="while learnt")
        axes.plot(epochs, run.column("validation bits/character"), color="tab:green", label="validation")
        axes.set(title="bits per character", xlabel="epoch")
        axes.legend()

    run.picture(draw, (7, 4))


if __name__ == "__main__":
    main()
