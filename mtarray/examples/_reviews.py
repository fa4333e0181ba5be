"""A small sample of labelled sentences: written out from templates by hand, for a trainer to have something without a file.

They are no data set of language: a template and its words decide the label. The test part has templates and words of its own beside common
ones, so that words have to be learnt in their neighbourhood ("not good", "no longer bad"), not by heart.
"""

from __future__ import annotations

import random

GOOD = "good great lovely excellent charming superb funny warm clever moving honest fresh".split()
BAD = "bad dull awful boring weak clumsy sour flat lazy noisy hollow stale".split()
THINGS = "film book song meal play novel concert show story hotel game series".split()
PARTS = "ending cast music start plot service sound room second half dialogue".split()

# {good}, {bad}: words of one kind. "+" and "-" is what the sentence says.
COMMON = [
    ("+", "the {thing} was {good}"),
    ("+", "a {good} {thing} with a {good2} {part}"),
    ("+", "i found the {part} {good} and the {thing} {good2}"),
    ("+", "not {bad} at all"),
    ("+", "the {thing} is never {bad}"),
    ("+", "the {part} was {bad} but the {thing} is {good}"),
    ("+", "what a {good} {thing}"),
    ("+", "i thought it would be {bad} and it was {good}"),
    ("-", "the {thing} was {bad}"),
    ("-", "a {bad} {thing} with a {bad2} {part}"),
    ("-", "i found the {part} {bad} and the {thing} {bad2}"),
    ("-", "not {good} at all"),
    ("-", "the {thing} is never {good}"),
    ("-", "the {part} was {good} but the {thing} is {bad}"),
    ("-", "what a {bad} {thing}"),
    ("-", "i thought it would be {good} and it was {bad}"),
]
UNSEEN = [
    ("+", "so {good} that i saw the {thing} again"),
    ("+", "this {thing} is not {bad}"),
    ("+", "the {part} is never {bad} and the {thing} is {good}"),
    ("-", "so {bad} that i left the {thing}"),
    ("-", "this {thing} is not {good}"),
    ("-", "the {part} is never {good} and the {thing} is {bad}"),
]
LABELS = {"+": "positive", "-": "negative"}


def _write(templates: list[tuple[str, str]], count: int, draw: random.Random) -> list[tuple[str, str]]:
    """`count` different sentences with their labels, the templates in turn."""
    found: dict[str, str] = {}
    number = 0
    while len(found) < count:
        sign, template = templates[number % len(templates)]
        good, bad = draw.sample(GOOD, 2), draw.sample(BAD, 2)
        words = {"good": good[0], "good2": good[1], "bad": bad[0], "bad2": bad[1], "thing": draw.choice(THINGS), "part": draw.choice(PARTS)}
        found.setdefault(template.format(**words), LABELS[sign])
        number += 1
    return [(label, text) for text, label in found.items()]


def sample(train: int = 480, test: int = 120) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(label, text) of the two parts, always the same ones; half of the test is written from templates that training has not seen."""
    draw = random.Random(20)
    learnt = _write(COMMON, train, draw)
    known = {text for _, text in learnt}
    common = [row for row in _write(COMMON, train + test, draw) if row[1] not in known]
    asked = [*common[: test // 2], *_write(UNSEEN, test - test // 2, draw)]
    return learnt, asked
