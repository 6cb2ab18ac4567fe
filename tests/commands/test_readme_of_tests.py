"""`tests/README.md` names files that exist, and every file of tests stands in its table of promises."""

import re

from conftest import REPOSITORY

PAGE = REPOSITORY / "tests" / "README.md"


def test_every_path_on_the_page_exists():
    named = set(re.findall(r"\btests(?:/\w+)*(?:/|/\w+\.py|\b)(?![/.\w])", PAGE.read_text("utf-8")))
    assert "tests/math/test_layers.py" in named and "tests/peers" in named and "tests/golden/" in named
    assert [path for path in named if not (REPOSITORY / path).exists()] == []


def test_every_file_of_tests_shows_a_promise():
    page = PAGE.read_text("utf-8")
    # Tests of the documents themselves show no promise of the product.
    files = {path for path in (REPOSITORY / "tests").glob("*/test_*.py") if "readme" not in path.name}
    missing = [str(path.relative_to(REPOSITORY)) for path in files if f"`{path.relative_to(REPOSITORY)}`" not in page]
    assert missing == []
