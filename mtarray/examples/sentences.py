"""Sentences in classes, by convolutions over their words.

    python -m mtarray.examples.sentences --train train.tsv --test test.tsv

Files have a label, a tab and a text in each line. Without any, a small sample is used that was written from templates (see `_reviews.py`).
The network is Kim's (2014, arXiv:1408.5882): windows of 3, 4 and 5 words, the largest answer of each over the sentence, dropout, a linear
layer.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import click

import mtarray as xp
from mtarray import Array, data, nn

from .._cli.group import refuse, refusing
from .._cli.output import console, table
from . import _classify, _reviews
from ._trainer import Run, trainer

PADDING, UNKNOWN = 0, 1
Rows = list[tuple[str, str]]  # (label, text)


class SentenceCNN(nn.Module):
    """Numbers of words (n, length) -> (n, classes)."""

    def __init__(self, words: int, classes: int, width: int = 48, channels: int = 48, dropout: float = 0.5, device: Any = "cpu") -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width, padding_idx=PADDING, device=device)
        self.windows = nn.ModuleList([nn.Conv1d(width, channels, size, padding=size // 2, device=device) for size in (3, 4, 5)])
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(3 * channels, classes, device=device)

    def forward(self, words: Any) -> Any:
        """The classes' scores."""
        x = xp.permute_dims(self.embedding(words), (0, 2, 1))
        largest = [xp.max(nn.functional.relu(window(x)), axis=2) for window in self.windows]
        return self.output(self.dropout(xp.concat(largest, axis=1)))


def words_of(text: str) -> list[str]:
    """Words in lower case, and signs, each for itself."""
    return re.findall(r"[\w']+|[^\w\s]", text.lower())


def encode(texts: list[list[str]], vocabulary: dict[str, int], length: int) -> Array:
    """The numbers of words, (texts, length): padded with 0, 1 for words that are not in the vocabulary, cut after `length`."""
    rows = [[vocabulary.get(word, UNKNOWN) for word in text[:length]] for text in texts]
    return xp.asarray([row + [PADDING] * (length - len(row)) for row in rows], dtype=xp.int64)


def read(train: Path | None, test: Path | None, seed: int) -> tuple[Rows, Rows]:
    """The two parts: of the files, of one file by chance (a fifth is tested on), or of the sample. ValueError for what does not fit."""
    if train is None:
        if test is not None:
            raise ValueError("--test needs --train")
        return _reviews.sample()
    found = data.read_tsv(train)
    rows = list(zip(found["label"], found["text"]))
    if test is not None:
        other = data.read_tsv(test)
        asked = list(zip(other["label"], other["text"]))
        strange = {label for label, _ in asked} - {label for label, _ in rows}
        if strange:
            raise ValueError(f"{test}: the label {min(strange)!r} is not among those of {train}")
        return rows, asked
    if len(rows) < 5:
        raise ValueError(f"{train}: {len(rows)} sentences are too few to keep some for a test; give --test")
    first, second = data.train_test_split(xp.arange(len(rows)), test_size=0.2, seed=seed)
    return [rows[i] for i in first.tolist()], [rows[i] for i in second.tolist()]


@trainer(epochs=15, batch_size=32, rate=0.003, fixed=("epochs",))
@click.option("--train", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sentences to learn: label, tab, text.")
@click.option("--test", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sentences to be tested on.")
@click.option("--words", "most", type=click.IntRange(1), default=20000, help="So many of the commonest words are told apart.")
def main(run: Run, train: Path | None, test: Path | None, most: int) -> None:
    """Sentences in classes, by convolutions over their words."""
    with refusing(OSError, ValueError):
        learnt, asked = read(train, test, run.seed)
    names = sorted({label for label, _ in learnt})
    if len(names) < 2:
        refuse(f"{train}: all sentences have the label {names[0]!r}; at least two are needed")
    texts, test_texts = ([words_of(text) for _, text in part] for part in (learnt, asked))
    counted = Counter(word for text in texts for word in text)
    vocabulary = {word: i for i, (word, _) in enumerate(counted.most_common(most), 2)}
    length = min(max(map(len, texts)), 400)
    places = {name: i for i, name in enumerate(names)}
    parts: list[tuple[Array, Array]] = []
    for encoded, rows in ((texts, learnt), (test_texts, asked)):
        classes = xp.asarray([places[label] for label, _ in rows], dtype=xp.int64)
        parts.append((encode(encoded, vocabulary, length).to_device(run.device), classes.to_device(run.device)))

    nn.manual_seed(run.seed)
    model = SentenceCNN(len(vocabulary) + 2, len(names), device=run.device)
    optimizer = nn.optim.Adam(model.parameters(), lr=run.rate)
    schedule = nn.optim.lr_scheduler.CosineAnnealingLR(optimizer, run.epochs)
    source = "a sample written from templates" if train is None else str(train)
    run.say(f"{source}: {len(learnt)} sentences to learn from, {len(asked)} to be tested on, {len(vocabulary)} words; {run.device}")
    run.train(_classify.task(run, model, optimizer, parts[0], parts[1], schedule))
    predicted = _classify.predict(model, parts[1][0]).to_device("cpu")
    if not run.quiet:
        show(asked, [names[i] for i in predicted.tolist()])
    run.summary(test_sentences=len(asked))

    def draw(figure: Any) -> None:
        left, right = figure.subfigures(1, 2)
        _classify.draw_curves(left, run)
        _classify.draw_confusion(right, parts[1][1].to_device("cpu"), predicted, names)

    run.picture(draw, (10, 4.2))


def show(asked: Rows, seen: list[str], count: int = 8) -> None:
    """Some sentences of the test with what was seen in them, the wrong ones first."""
    rows = table("sentence", "is", "seen as", title="sentences of the test")
    wrong = [i for i, (label, _) in enumerate(asked) if label != seen[i]]
    right = [i for i, (label, _) in enumerate(asked) if label == seen[i]]
    half = [*wrong[: count // 2], *right[:: max(1, len(right) // count)]][:count]
    for i in half:
        label, text = asked[i]
        rows.add_row(text[:90], label, seen[i] if label == seen[i] else f"[red]{seen[i]}[/]")
    console().print(rows)


if __name__ == "__main__":
    main()
