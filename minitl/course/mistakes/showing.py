"""The mistakes for people to read: lists, pages, a table. Each function prints, and returns the same as data."""

import difflib
import textwrap

from ...errors import ArgumentError
from ...recipes.settings import SettingError
from . import MISTAKES, THEMES

WIDTH = 100
LABEL = 12  # columns for what a paragraph is
NAME = max(len(mistake.name) for mistake in MISTAKES) + 2


def mistake_called(name):
    """Return the mistake of this name. Raises ArgumentError, with the nearest one."""
    wanted = name.replace("_", "-").lower()
    for mistake in MISTAKES:
        if mistake.name == wanted:
            return mistake
    near = difflib.get_close_matches(wanted, [mistake.name for mistake in MISTAKES], n=1)
    hint = f"Did you mean {near[0]}?" if near else "minitl mistakes lists them."
    raise ArgumentError(f"there is no mistake called '{name}'. {hint}")


def suspects(words):
    """Return the mistakes whose symptom has most of these words."""
    found = [mistake.words_found(words.split()) for mistake in MISTAKES]
    if not max(found):
        text = (
            "{} {words!r}: no symptom has any of these words. Try accuracy, loss, stuck, jumps, validation, or "
            "read the list: minitl mistakes."
        )
        raise SettingError(text, "symptom", words=words)
    return [mistake for mistake, count in zip(MISTAKES, found) if count == max(found)]


def show_list(mistakes=MISTAKES):
    """Print name and symptom, by theme."""
    for theme in THEMES:
        members = [mistake for mistake in mistakes if mistake.theme == theme]
        if members:
            print(f"\n{theme}")
        for mistake in members:
            print(labelled(f"  {mistake.name}", mistake.headline, NAME + 2))
    return [{key: getattr(each, key) for key in ("name", "theme", "symptom", "place")} for each in mistakes]


def show(mistake):
    """Print all of one mistake; in between, run it."""
    print(f"{mistake.name.upper()} ({mistake.theme})\n{'-' * WIDTH}")
    print(labelled("symptom", mistake.symptom))
    print(f"\n{'read':<{LABEL}}{mistake.place}; the two programs differ in these lines:")
    for kind, number, source in mistake.differing_lines:
        print(f"{kind:<{LABEL}}{number:>3}  {source}")
    result = mistake.run()
    outcome = result.outcome
    print(labelled("measured", f"{outcome.quantity}: wrong {outcome.wrong:.3f}, mended {outcome.mended:.3f}"))
    for text in result.warnings:
        print(labelled("the engine", f"MistakeWarning: {text}"))
    print("\n" + labelled("diagnosis", mistake.diagnosis))
    print("\n" + labelled("mend", mistake.mend))
    return as_data(mistake, result)


def show_all():
    """Run every mistake; print a line for each, as soon as it is there."""
    print(f"{'mistake':<{NAME}}{'measured':<32}{'wrong':>7}{'mended':>8}{'seconds':>9}  warned")
    print("-" * WIDTH)
    results = []
    for mistake in MISTAKES:
        result = mistake.run()
        numbers = f"{result.outcome.wrong:7.3f}{result.outcome.mended:8.3f}{result.seconds:9.2f}"
        line = f"{mistake.name:<{NAME}}{result.outcome.quantity:<32}{numbers}  {'yes' if result.warnings else ''}"
        print(line.rstrip(), flush=True)
        results.append(as_data(mistake, result))
    smaller_is_better = sorted({result["measured"] for result in results if result["lower_is_better"]})
    print(f"\nSmaller is better for {', '.join(smaller_is_better)}.")
    print("warned: the engine saw it happen and said so by itself.")
    return results


def as_data(mistake, result):
    outcome = result.outcome
    return {
        "name": mistake.name,
        "theme": mistake.theme,
        "measured": outcome.quantity,
        "wrong": outcome.wrong,
        "mended": outcome.mended,
        "lower_is_better": outcome.lower_is_better,
        "warnings": result.warnings,
        "seconds": result.seconds,
        "place": mistake.place,
    }


def labelled(label, text, width=LABEL):
    """Return a paragraph beside its label."""
    return textwrap.fill(text, WIDTH, initial_indent=f"{label:<{width}}", subsequent_indent=" " * width,
                         break_on_hyphens=False)  # fmt: skip
