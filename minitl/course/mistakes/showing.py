"""The printed form of the mistakes: a list, a page, a table. Each function prints, and returns the same as data."""

import textwrap

from ...arguments import nearest
from ...errors import ArgumentError
from ...recipes.settings import SettingError
from . import MISTAKES, THEMES

WIDTH = 80
LABEL = 12  # columns for the label of a paragraph
NAME = max(len(mistake.name) for mistake in MISTAKES) + 2


def mistake_called(name):
    """Return the mistake of this name. Raises ArgumentError, which names the nearest one."""
    wanted = name.replace("_", "-").lower()
    for mistake in MISTAKES:
        if mistake.name == wanted:
            return mistake
    near = nearest(wanted, [mistake.name for mistake in MISTAKES], 1)
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
    """Print the name and symptom of each mistake, by theme."""
    for theme in THEMES:
        members = [mistake for mistake in mistakes if mistake.theme == theme]
        if members:
            print(f"\n{theme}")
        for mistake in members:
            print(labelled(f"  {mistake.name}", mistake.headline, NAME + 2))
    return [{key: getattr(each, key) for key in ("name", "theme", "symptom", "place")} for each in mistakes]


def show(mistake):
    """Run one mistake, and print its texts and its numbers."""
    print(f"{mistake.name.upper()} ({mistake.theme})\n{'-' * WIDTH}")
    print(labelled("symptom", mistake.symptom))
    print(f"\n{'read':<{LABEL}}{mistake.place}")
    print(f"{'':<{LABEL}}The two programs differ in these lines:")
    for kind, number, source in mistake.differing_lines:
        print(labelled(f"{kind:<{LABEL}}{number:>3}", source, LABEL + 5))
    result = mistake.run()
    outcome = result.outcome
    print(labelled("measured", f"{outcome.quantity}: wrong {outcome.wrong:.3f}, mended {outcome.mended:.3f}"))
    for text in result.warnings:
        print(labelled("the engine", f"MistakeWarning: {text}"))
    print("\n" + labelled("diagnosis", mistake.diagnosis))
    print("\n" + labelled("mend", mistake.mend))
    return as_data(mistake, result)


def show_all():
    """Run every mistake, and print a line for each as soon as it is done."""
    print(f"{'mistake':<{NAME}}{'wrong':>7}{'mended':>8}{'seconds':>9}  warned")
    print("-" * WIDTH)
    results = []
    for mistake in MISTAKES:
        result = mistake.run()
        numbers = f"{result.outcome.wrong:7.3f}{result.outcome.mended:8.3f}{result.seconds:9.2f}"
        line = f"{mistake.name:<{NAME}}{numbers}  {'yes' if result.warnings else ''}"
        print(line.rstrip(), flush=True)
        results.append(as_data(mistake, result))
    print()
    for quantity in dict.fromkeys(result["measured"] for result in results):
        members = [result for result in results if result["measured"] == quantity]
        better = "smaller is better" if members[0]["lower_is_better"] else "larger is better"
        print(labelled("", f"{quantity} ({better}): {', '.join(each['name'] for each in members)}", 2))
    print("warned: the engine detected the mistake and warned by itself.")
    return results


def as_data(mistake, result):
    """Return a mistake and the result of its run in a form that JSON can hold."""
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
    """Return a wrapped paragraph beside its label."""
    return textwrap.fill(text, WIDTH, initial_indent=f"{label:<{width}}", subsequent_indent=" " * width,
                         break_on_hyphens=False)  # fmt: skip
