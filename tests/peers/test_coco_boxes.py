"""Boxes of COCO beside pycocotools: the same boxes are read, and what is written back is understood."""

import contextlib
import io
import json

import numpy as np
import pytest

from minitl import data
from minitl.data.coco_boxes import as_coco

Image = pytest.importorskip("PIL.Image", reason="needs the extra 'images': pip install -e '.[images]'")
coco = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
evaluation = pytest.importorskip("pycocotools.cocoeval", reason="needs pycocotools")


def write_folder(root, rng):
    """Write twelve photographs with random boxes of classes whose numbers have gaps; one shows nothing."""
    content = {"images": [], "annotations": [], "categories": [{"id": k, "name": f"thing {k}"} for k in (90, 7, 23)]}
    for number in rng.permutation(1000)[:12].tolist():
        height, width = (int(side) for side in rng.integers(60, 120, 2))
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(root / f"{number}.png")
        content["images"].append({"id": number, "file_name": f"{number}.png", "height": height, "width": width})
        for _ in range(0 if len(content["images"]) == 5 else int(rng.integers(1, 6))):
            left, top = rng.uniform(0, width - 20), rng.uniform(0, height - 20)
            box = [left, top, rng.uniform(5, width - left), rng.uniform(5, height - top)]
            more = {"category_id": int(rng.choice([7, 23, 90])), "iscrowd": int(rng.random() < 0.2)}
            of = {"id": len(content["annotations"]) + 1, "image_id": number, "area": box[2] * box[3]}
            content["annotations"].append({"bbox": box, **of, **more})
    (root / "annotations.json").write_text(json.dumps(content))


def test_boxes_are_read_and_written_as_pycocotools_does(tmp_path, rng):
    write_folder(tmp_path, rng)
    folder = data.audit_detection(tmp_path, val_share=0, verbose=0)
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco.COCO(tmp_path / "annotations.json")
    assert len(folder.train) == len(known.getImgIds()) == 12 and folder.category_numbers == sorted(known.getCatIds())
    assert folder.class_names == [each["name"] for each in known.loadCats(folder.category_numbers)]
    results, worst = [], 0.0
    for photo in folder.train:
        theirs = known.loadAnns(known.getAnnIds(imgIds=[photo.number]))
        assert [folder.category_numbers[label] for label in photo.labels] == [each["category_id"] for each in theirs]
        assert photo.crowd.tolist() == [bool(each["iscrowd"]) for each in theirs]
        results += as_coco(photo.number, photo.boxes, photo.labels, np.ones(len(photo.labels)), folder.category_numbers)
        for mine, other in zip(results[len(results) - len(theirs) :], theirs):
            worst = max(worst, np.abs(np.subtract(mine["bbox"], other["bbox"])).max())
    assert worst < 1e-4, worst  # float32 pixels
    with contextlib.redirect_stdout(io.StringIO()):
        run = evaluation.COCOeval(known, known.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert run.stats[0] == pytest.approx(1.0, abs=1e-9)  # all boxes found, with the right numbers of their classes
    wrong = [{**each, "category_id": folder.category_numbers.index(each["category_id"]) + 1} for each in results]
    with contextlib.redirect_stdout(io.StringIO()):
        run = evaluation.COCOeval(known, known.loadRes(wrong), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert run.stats[0] < 0.5  # labels that were not mapped back would be found out
