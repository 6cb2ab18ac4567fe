"""Make explain.npz: the numbers that PyTorch computes in the two updates that `minitl explain step` traces.

    pip install torch
    python tests/golden/make_explain.py

Image and initial weights are minitl's; every result is PyTorch's, in float64. For `tests/commands/test_explain.py`.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from minitl.course.explain.small_network import LEARNING_RATE, MOMENTUM, SEED, small_image, small_network  # noqa: E402

x, label = small_image()
kernel, bias, dense, dense_bias = (torch.tensor(w, dtype=torch.float64) for w in small_network(SEED).get_weights())
parameters = [kernel.permute(3, 2, 0, 1).clone(), bias, dense, dense_bias]  # PyTorch's kernels are (F, C, KH, KW)
for parameter in parameters:
    parameter.requires_grad_()
optimizer = torch.optim.SGD(parameters, lr=LEARNING_RATE, momentum=MOMENTUM)
image = torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2)


def loss():
    maps = torch.nn.functional.conv2d(image, *parameters[:2])
    pooled = torch.nn.functional.max_pool2d(torch.relu(maps), 2)
    scores = pooled.permute(0, 2, 3, 1).flatten(1) @ parameters[2] + parameters[3]  # in the order (H, W, C)
    return torch.nn.functional.cross_entropy(scores, torch.tensor([label]))


arrays = {}
for step in ("first", "second"):
    optimizer.zero_grad()
    arrays[f"loss {step}"] = value = loss()
    value.backward()
    arrays[f"{step} conv kernel"] = parameters[0].grad.permute(2, 3, 1, 0)
    for name, parameter in zip(("conv bias", "dense kernel", "dense bias"), parameters[1:]):
        arrays[f"{step} {name}"] = parameter.grad
    arrays = {name: array.detach().clone() for name, array in arrays.items()}
    optimizer.step()
arrays["kernel after"] = parameters[0].detach().permute(2, 3, 1, 0)
for name, parameter in zip(("bias after", "dense after", "dense bias after"), parameters[1:]):
    arrays[name] = parameter.detach()
versions = np.array([f"{library.__name__} {library.__version__}" for library in (torch, np)])
np.savez_compressed(HERE / "explain.npz", versions=versions, **{name: a.numpy() for name, a in arrays.items()})
