"""Fine-tuning on many photographs: a measurement of the memory that it takes.

    python tests/programs/many_photos.py --count 20000

It takes some minutes, and needs Pillow and VGG16's base where minitl looks for it.

Makes so many small, different JPEGs of two classes, runs `minitl finetune` on them with small images, and prints the
largest memory that the process had (Linux, macOS).
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image


def make_photos(folder, count):
    """Write `count` photographs, half of them reddish and half bluish; 64x48 pixels."""
    rng = np.random.default_rng(0)
    for number in range(count):
        place = folder / ("bluish", "reddish")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        small = rng.integers(0, 200, (6, 8, 3), dtype=np.uint8)
        small[..., 0 if number % 2 else 2] += 50
        Image.fromarray(small).resize((64, 48)).save(place / f"{number:06}.jpg")


def finetune(folder, *options):
    """Return (megabytes at most, seconds, printed text)."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "minitl", "finetune", str(folder), *options]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(result.stderr)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3), time.perf_counter() - start, result.stdout


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("options", nargs="*", help="for minitl finetune, behind --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        make_photos(Path(place) / "photos", options.count)
        usual = ["--image-size", "32", "--epochs", "5", "--tune-epochs", "1"]
        megabytes, seconds, said = finetune(Path(place) / "photos", *(options.options or usual))
    print(said)
    print(f"{options.count:,} photographs: {megabytes:,.0f} MB at most, {seconds:.0f} s")


if __name__ == "__main__":
    main()
