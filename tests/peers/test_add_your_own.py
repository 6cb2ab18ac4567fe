"""The additions of the page on adding your own have Keras's and PyTorch's numbers, by the same tables in a copy."""

import re

from programs.additions import repository_with_additions, run


def test_the_additions_have_the_numbers_of_keras_and_pytorch(tmp_path):
    repository_with_additions(tmp_path)
    files = [f"tests/peers/test_{name}.py" for name in ("layers", "losses", "training")]
    printed = run(
        tmp_path,
        "-m",
        "pytest",
        "-vv",
        "-p",
        "no:cacheprovider",
        "-k",
        "prelu or pseudo-huber or pseudo_huber or lion",
        *files,
    )
    for name in "prelu", "pseudo-huber", "lion":
        assert re.search(rf"\[.*{name}.*\] PASSED", printed), printed[-3000:]
    assert "SKIPPED" not in printed
