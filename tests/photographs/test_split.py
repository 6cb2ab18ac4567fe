"""The split into training and validation: it works, follows the share in each class, and stays when files come."""

import hashlib
import math

import numpy as np
import pytest

from minitl import data
from minitl.data.folders import Photo
from minitl.data.split import held_back, limits
from minitl.errors import ArgumentError, DataError


def photos_of(classes, seed):
    """Return photographs with random digests, so many of each class."""
    return [
        Photo(None, label, hashlib.sha256(f"{seed} {label} {number}".encode()).hexdigest())
        for label, count in enumerate(classes)
        for number in range(count)
    ]


def held_counts(photos, held):
    """Return {label: number of photographs that are held back}."""
    return {label: sum(p.sha256 in held for p in photos if p.label == label) for label in {p.label for p in photos}}


@pytest.mark.slow
@pytest.mark.parametrize("classes", [[2] * 2, [5] * 2, [10] * 5, [10] * 10, [20] * 100, [2, 3, 1000], [8] * 6])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.5, 0.9])
def test_every_draw_works_and_follows_the_share(classes, share):
    for seed in range(300 if sum(classes) < 100 else 30):
        photos = photos_of(classes, seed)
        counts = held_counts(photos, held_back(photos, share))
        for label, count in enumerate(classes):
            quota = share * count
            assert 1 <= counts[label] <= count - 1
            assert abs(counts[label] - quota) <= max(1, 0.2 * quota) + 1e-9


def test_the_figures_of_the_table():
    found = {count: limits(count, 0.2) for count in (2, 5, 10, 20, 50, 100, 1000)}
    expected = {2: (1, 1), 5: (1, 2), 10: (1, 3), 20: (3, 5), 50: (8, 12), 100: (16, 24), 1000: (160, 240)}
    assert found == expected


def moves(before, after, share=0.2):
    """Return how many of the photographs `before` are on another side once they are `after`."""
    a, b = held_back(before, share), held_back(after, share)
    return sum((photo.sha256 in a) != (photo.sha256 in b) for photo in before)


@pytest.mark.parametrize("count, added, on_average, at_most", [(50, 10, 0.5, 5), (10, 5, 0.3, 2), (200, 100, 0.5, 15)])
def test_adding_photographs_moves_hardly_any(count, added, on_average, at_most):
    found = []
    for seed in range(1000):
        after = photos_of([count + added], seed)
        found.append(moves(after[:count], after))
    print(f"{added} added to {count}: {np.mean(found):.2f} move on the average, {max(found)} at most")
    assert np.mean(found) <= on_average and max(found) <= at_most


def test_one_photograph_more_moves_one_at_most():
    for seed in range(300):
        after = photos_of([30, 30], seed)
        assert moves(after[:-1], after) <= 1


def test_the_order_of_files_and_classes_does_not_matter(rng):
    photos = photos_of([7, 30, 2], 3)
    held = held_back(photos, 0.2)
    for _ in range(5):
        assert held_back([photos[i] for i in rng.permutation(len(photos))], 0.2) == held


def test_a_copy_stays_with_its_original_also_in_another_class():
    for seed in range(100):
        photos = photos_of([6, 6], seed)
        copies = [Photo(None, 0, photos[0].sha256), Photo(None, 1, photos[1].sha256)]
        held = held_back([*photos, *copies], 0.2)  # a set of digests, so there is one side for each
        plain = photos[1].sha256 in held
        assert plain == (int(photos[1].sha256[:8], 16) / 2**32 < 0.2), "one with two labels is moved by no class"
        assert all(1 <= count for count in held_counts([*photos, *copies], held).values())


def test_a_large_class_is_split_by_the_digests_alone():
    photos = photos_of([5000], 1)
    by_digest = {photo.sha256 for photo in photos if int(photo.sha256[:8], 16) < 0.2 * 2**32}
    assert held_back(photos, 0.2) == by_digest and math.isclose(len(by_digest), 1000, rel_tol=0.05)


def write(folder, classes):
    """Write a folder with so many different photographs of each class."""
    pytest.importorskip("PIL", reason="needs the extra 'images'")
    from PIL import Image

    for label, (name, count) in enumerate(classes.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.new("RGB", (6, 5), (number, 10 * label, 7)).save(folder / name / f"{number}.png")
    return folder


def test_a_folder_of_small_classes(tmp_path):
    folder = write(tmp_path / "photos", {"ants": 5, "bees": 5, "crabs": 2})
    found = data.audit_folder(folder, verbose=0)
    assert all(found.counts(found.train)) and all(found.counts(found.val)) and found.counts(found.val)[2] == 1
    half = data.audit_folder(folder, val_share=0.5, verbose=0)
    assert all(2 <= count <= 3 for count in half.counts(half.val)[:2])
    assert data.audit_folder(folder, val_share=0, verbose=0).val == []
    for share in (1, -0.1, "0.2", None, True, math.nan):
        with pytest.raises(ArgumentError, match="val_share is .*expected a share"):
            data.audit_folder(folder, val_share=share)


def test_a_class_with_one_photograph_is_named(tmp_path):
    folder = write(tmp_path / "photos", {"ants": 5, "bees": 1, "crabs": 4})
    with pytest.raises(DataError, match=r"class 'bees' has one photograph only .*Add some, or remove the folder"):
        data.audit_folder(folder, verbose=0)
    (folder / "bees" / "copy.png").write_bytes((folder / "bees" / "0.png").read_bytes())
    with pytest.raises(DataError, match="class 'bees' has one photograph only"):
        data.audit_folder(folder, verbose=0)
    write(folder, {"dogs": 1})
    with pytest.raises(DataError, match="the classes 'bees', 'dogs' have each one photograph only"):
        data.audit_folder(folder, verbose=0)
    assert len(data.audit_folder(folder, val_share=0, verbose=0).train) == 12
