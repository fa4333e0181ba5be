"""Griffe extension: docstrings as this project writes them, turned into Markdown.

Examples stand in a docstring as they are typed, without a heading; Markdown wants them fenced, and would read `>>>` as three
quotations. A power in the running text (`x**2` without backticks) would begin emphasis.
"""

import re
from typing import Any

import griffe

_SESSION = re.compile(r"^(?P<indent> *)>>> .*\n?(?:^(?! *$).*\n?)*", re.MULTILINE)


def _fence(session: re.Match[str]) -> str:
    indent = session["indent"]
    return f"{indent}```pycon\n{session[0].rstrip()}\n{indent}```\n"


def _escape(text: str) -> str:
    """Escape asterisks outside backticks."""
    parts = re.split(r"(`+[^`]*`+)", text)
    return "".join(part if part.startswith("`") else part.replace("*", r"\*") for part in parts)


def markdown(docstring: str) -> str:
    """A docstring with its sessions fenced and its powers escaped."""
    result, end = [], 0
    for session in _SESSION.finditer(docstring):
        result += [_escape(docstring[end : session.start()]), _fence(session)]
        end = session.end()
    return "".join([*result, _escape(docstring[end:])])


class Docstrings(griffe.Extension):
    """Rewrites every docstring once, when its object is loaded."""

    def on_instance(self, *, obj: griffe.Object, **options: Any) -> None:
        """Called for each object of the inspected package."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
