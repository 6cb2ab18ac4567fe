"""Paragraphs and headings of the programs of the course that print while they work."""

from ..terminal import wrapped


def say(text):
    """Print a paragraph and an empty line."""
    print(f"{wrapped(text)}\n", flush=True)


def heading(text):
    """Print a heading with a line below it."""
    print(f"{text}\n{'-' * len(text)}", flush=True)
