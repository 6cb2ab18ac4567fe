"""Make `vgg16_imagenet_blocks1to3.h5` from the official VGG16 base.

    python weights/make_vgg16_blocks1to3.py vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5

The script first checks the arrays of the source, whoever wrote the file: it compares the sha256 over their float32
bytes, in the order of the file, with the digest of the published weights.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from minitl.applications import VGG16
from minitl.transfer import remove_layers

SOURCE_DIGEST = "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"


def main():
    """Check the source, remove the layers behind block 3 and write the file beside this script."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    base = VGG16(weights=sys.argv[1], include_top=False)
    digest = hashlib.sha256(b"".join(np.asarray(w, "<f4").tobytes() for w in base.get_weights())).hexdigest()
    if digest != SOURCE_DIGEST:
        raise SystemExit(
            f"{sys.argv[1]}: array digest {digest}, expected {SOURCE_DIGEST}. This is not the ImageNet base."
        )
    cut = remove_layers(base, after="block3_pool")
    target = Path(__file__).parent / "vgg16_imagenet_blocks1to3.h5"
    cut.save_weights(target)
    print(f"wrote {target}: {cut.count_params():,} parameters, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
