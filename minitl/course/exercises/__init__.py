"""Write it yourself: exercises on the engine, whose checks say why an answer is wrong.

    minitl exercises                      the list, and how far you are
    minitl exercises start softmax        write softmax.py: what is given, and one function to write
    minitl exercises check softmax        is it right? If not, why not?
    minitl exercises hint softmax         three hints, each telling more
    minitl exercises solution softmax     the engine's own lines

In a notebook the same are functions: `exercise_called("softmax").check(my_function).text`.

How an exercise is written. A module holds the exercises of one theme (`losses` is an example), and `listing` names them
in their order. An exercise has these functions, which stand above its `Exercise(...)`:

1. The answer, in plain NumPy, with the name and the arguments that the learner's function has. At most 20 lines.
2. `NAME_by_engine` with the same arguments, which calls the engine. It says what is right, so an answer is compared
   with the engine and not with itself. `lines` names the functions of the engine that `solution` prints.
3. `NAME_cases(random)`: some `Case`s, the plainest first, on float64 arrays whose axes all differ in size, and the edge
   cases: one example, ties, odd sizes, large numbers, whole numbers. Small: all of it is checked in half a second.
4. At least five typical wrong answers: what people really write. The docstring of each is one sentence of why, which
   follows on "These are the numbers that you get if you ...", so it begins with a verb: "Divide by ...: each row has
   ...". Each has to be wrong on some input, and any two have to differ on some input. Rules that `diagnosis` finds by
   itself (swapped axes, a factor, a sign, only the edges, ...) need no wrong answer, but a sentence of why is better
   than a rule.
5. Perhaps `NAME_by_hand(name, index, *arguments)`: the terms of one number. Perhaps `places`.

Then `Exercise(...)` says the rest; its class says what each part is. Three hints: the idea, the tool, nearly the line.
`tests/math/test_exercises.py` runs all that this text asks for on every exercise of the list.

Reading order: `exercise` (its parts), `losses` (an example), `checking` (the order of the questions), `diagnosis` (what
is wrong with an array), `comparing`, `running`, `wording`; then `child`, `listing`, `files` and `showing`: the files of
a learner and what is printed.
"""

from .checking import Verdict, check
from .child import check_file
from .exercise import Case, Exercise
from .files import start
from .listing import EXERCISES, THEMES, exercise_called

__all__ = ["EXERCISES", "THEMES", "Case", "Exercise", "Verdict", "check", "check_file", "exercise_called", "start"]
