"""A file is on the disk before it gets its name, and the name is on the disk before the write counts as done."""

import os
import sys

import pytest

from minitl.errors import CheckpointError
from minitl.files.atomic import replacing


def write(path, content, check=lambda temporary: None):
    with replacing(path, check) as temporary, open(temporary, "w") as file:
        file.write(content)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows flushes folders by itself")
def test_the_content_is_flushed_before_the_rename_and_the_folder_after_it(tmp_path, monkeypatch):
    target, steps = tmp_path / "model.h5", []
    rename = os.replace

    def flush(handle):
        where = os.fstat(handle)
        steps.append("folder" if os.path.samestat(where, os.stat(tmp_path)) else f"file of {where.st_size} bytes")

    def replace(old, new):
        steps.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", replace)
    write(target, "weights")
    assert steps == ["file of 7 bytes", "rename", "folder"]


def test_a_check_that_fails_leaves_the_old_file(tmp_path):
    target = tmp_path / "model.h5"
    write(target, "old")

    def refuse(temporary):
        raise OSError("it reads differently")

    with pytest.raises(CheckpointError, match="it reads differently"):
        write(target, "new", refuse)
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["model.h5"]
