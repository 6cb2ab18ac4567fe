"""Names of recordings that say what is in them: `0_george_10.wav` is the digit 0, said by George, for the tenth time.

    pattern = NamePattern("{class}_{speaker}_{index}")
    pattern.fields("0_george_10.wav")          {"class": "0", "speaker": "george", "index": "10"}

A word in braces stands for as few characters as possible, but at least one, and for no "/". A star stands for anything.
A pattern without "/" is laid on the name of a file, wherever it lies, and one with "/" on its path within the folder:
`{class}/{session}_*`. The ending of the name is left away, unless the pattern has one.

Who calls this: `folder`.
"""

import re

from ...errors import ArgumentError

PART = re.compile(r"\{(.*?)\}|(\*)")


class NamePattern:
    """A pattern for the names of files. `names` are the words in its braces. Raises ArgumentError unless one of them is
    "class", and no word is there twice."""

    def __init__(self, pattern):
        if not isinstance(pattern, str):
            raise ArgumentError(f"pattern is {pattern!r}; expected a text such as '{{class}}_{{speaker}}_*'.")
        self.pattern, self.names = pattern, [found[1] for found in PART.finditer(pattern) if found[1] is not None]
        odd = [name for name in self.names if not name.isidentifier() or self.names.count(name) > 1]
        if odd or "class" not in self.names or set("{}") & set(PART.sub("", pattern)):
            raise ArgumentError(
                f"pattern is {pattern!r}; expected different words in braces, one of them {{class}}, such as "
                "'{class}_{speaker}_*'."
            )
        self.has_path, self.has_ending = "/" in pattern, bool(re.search(r"\.\w+$", pattern))
        place, expression = 0, ""
        for found in PART.finditer(pattern):
            expression += re.escape(pattern[place : found.start()])
            expression += ".*" if found[2] else f"(?P<{found[1]}>[^/]+?)"
            place = found.end()
        self.expression = re.compile(expression + re.escape(pattern[place:]), re.DOTALL)

    def fields(self, path):
        """Return {word: text} of a path within the folder, or None if it does not fit."""
        text = path if self.has_path else path.rpartition("/")[2]
        found = self.expression.fullmatch(text if self.has_ending else re.sub(r"(?<=[^/])\.[^./]*$", "", text))
        return found and found.groupdict()
