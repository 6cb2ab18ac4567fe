"""The printed form of the exercises, 80 columns wide: a list, a verdict, hints, a solution. Each function prints, and
returns the same as data."""

import textwrap
import time
from pathlib import Path

from ...terminal import columns
from .checking import SECONDS
from .files import check_in, next_hint, progress, start
from .listing import exercises_of
from .wording import joined

WIDTH = 80
LABEL = 10  # columns for the label of a paragraph
SECONDS_BETWEEN_LOOKS = 0.3  # at a file that is watched
STATES = {"not begun": "", "begun": "begun", "right": "right", "changed": "changed since"}


def show_list(folder=".", of=None):
    """Print the name, the title and the progress of each exercise."""
    exercises = exercises_of(of)
    width = max(len(exercise.name) for exercise in exercises) + 2
    results = []
    for number, exercise in enumerate(exercises, 1):
        far = progress(folder, exercise)
        title = textwrap.shorten(exercise.title, WIDTH - width - 18, placeholder=" ...")
        print(f"{number:>2}  {exercise.name:<{width}}{title:<{WIDTH - width - 18}} {STATES[far['state']]}".rstrip())
        results.append({"name": exercise.name, "number": number, "title": exercise.title, **far})
    right = sum(result["state"] == "right" for result in results)
    print(f"\n{right} of {len(results)} are right in this folder.")
    return results


def show_start(exercise, folder=".", of=None):
    """Write the file of an exercise, and say what to do with it."""
    exercises = exercises_of(of)
    names = [each.name for each in exercises]
    path = start(exercise, folder, f"exercise {names.index(exercise.name) + 1} of {len(exercises)}")
    print(f"{path} is written: {exercise.title}.")
    print(labelled("now", f"open it, and write the function {exercise.head}"))
    print(labelled("check", f"minitl exercises check {exercise.name}"))
    print(labelled("hints", f"minitl exercises hint {exercise.name}"))
    return {"name": exercise.name, "file": str(path), "title": exercise.title}


def show_check(exercise, folder=".", seconds=SECONDS, of=None):
    """Check the answer in a folder and print the verdict."""
    verdict = check_in(folder, exercise, seconds, of)
    print_verdict(exercise, verdict)
    return verdict.as_data()


def print_verdict(exercise, verdict):
    """Print a verdict, and where to go on."""
    print(f"{exercise.name}: {exercise.title}")
    print("-" * WIDTH)
    label = "right" if verdict.passed else "not yet"
    for paragraph in verdict.text.split("\n"):
        print(labelled(label, paragraph))
        label = ""
    if not verdict.passed:
        print(labelled("help", f"minitl exercises hint {exercise.name}"))
        return
    places = [place.name for place in exercise.places_in_the_engine()]
    if places:
        same = f"{joined(places)} {'does' if len(places) == 1 else 'do'} the same"
        print(labelled("engine", f"{same} (minitl exercises solution {exercise.name})"))
    if exercise.read_next:
        print(labelled("read next", exercise.read_next))


def show_checks(folder=".", seconds=SECONDS, of=None):
    """Check every answer that was begun in a folder, and print the verdicts and how many are right."""
    begun = [exercise for exercise in exercises_of(of) if Path(folder, exercise.file_name).is_file()]
    results = []
    for exercise in begun:
        results.append(show_check(exercise, folder, seconds, of))
        print()
    if not begun:
        print("No exercise was begun in this folder. minitl exercises start NAME begins one.")
    else:
        print(f"{sum(result['passed'] for result in results)} of {len(results)} are right.")
    return results


def watch(names, folder=".", seconds=SECONDS, of=None):
    """Check the answers of these exercises whenever their files are saved, until all are right. Ctrl-C ends it."""
    exercises = [exercise for exercise in exercises_of(of) if exercise.name in names]
    seen, results = {}, {}
    print(f"Watching {', '.join(exercise.file_name for exercise in exercises)}. Ctrl-C ends it.\n", flush=True)
    try:
        while not results or not all(result["passed"] for result in results.values()):
            for exercise in exercises:
                saved = saved_at(Path(folder, exercise.file_name))
                if saved is not None and saved != seen.get(exercise.name):
                    seen[exercise.name] = saved
                    results[exercise.name] = show_check(exercise, folder, seconds, of)
                    print(flush=True)
            time.sleep(SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        print()
    return list(results.values())


def saved_at(path):
    """Return when a file was saved and its size, or None while an editor is replacing it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def show_hints(exercise, folder="."):
    """Print the hints so far and the next one."""
    hints = next_hint(folder, exercise)
    for number, hint in enumerate(hints, 1):
        print(labelled(f"hint {number}", hint))
    more = len(exercise.hints) - len(hints)
    rest = f"minitl exercises hint {exercise.name} once more tells more" if more else (
        f"that was the last hint. minitl exercises solution {exercise.name} shows the engine's own lines")  # fmt: skip
    print(labelled("", f"({rest}.)"))
    return {"name": exercise.name, "hints": list(hints), "more": more}


def show_solution(exercise):
    """Print the engine's lines with their places, and the answer as the exercise asks for it."""
    places = exercise.places_in_the_engine()
    for place in places:
        print(f"{place.name}\n{'-' * WIDTH}\n{code(place.lines)}\n")
    print(f"The function of this exercise\n{'-' * WIDTH}\n{code(exercise.answer_lines())}")
    return {
        "name": exercise.name,
        "engine": [{"place": place.name, "lines": place.lines} for place in places],
        "answer": exercise.answer_lines(),
    }


def code(lines):
    """Return lines of source. Those that are too long for the terminal go on in the next line, indented by four more
    spaces."""
    width, shown = max(columns(), WIDTH), []
    for line in lines.split("\n"):
        start = line[: len(line) - len(line.lstrip())]
        folded = textwrap.wrap(line.lstrip(), width, initial_indent=start, subsequent_indent=f"{start}    ",
                               break_long_words=False, break_on_hyphens=False)  # fmt: skip
        shown += folded if len(line) > width else [line]
    return "\n".join(shown)


def labelled(label, text):
    """Return a wrapped paragraph beside its label."""
    return textwrap.fill(text, WIDTH, initial_indent=f"{label:<{LABEL}}", subsequent_indent=" " * LABEL,
                         break_on_hyphens=False)  # fmt: skip
