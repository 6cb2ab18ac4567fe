"""The programs in PyTorch.

`options["layout"]` is "channels_last", which is its fastest, or "default" (NCHW). `options["network"]` names another
network than VGG16's base, and `options["threads"]` the number of threads in inference.
"""

import numpy as np
import torch
from torch import nn

from minitl import layers
from minitl.kernels.geometry import axis

from .. import networks
from . import minitl_engine


def layout(options):
    """Return PyTorch's memory format of the options."""
    return torch.channels_last if options["layout"] == "channels_last" else torch.contiguous_format


def base():
    """Return VGG16's base."""
    layers = []
    for block in networks.base_weights():
        for kernel, bias in block:
            convolution = nn.Conv2d(*kernel.shape[2:], 3, padding=1)
            with torch.no_grad():
                convolution.weight.copy_(torch.from_numpy(kernel).permute(3, 2, 0, 1))
                convolution.bias.copy_(torch.from_numpy(bias))
            layers += [convolution, nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class Network(nn.Module):
    """A model of minitl in PyTorch's modules, with the same weights. A dense layer at its end gives the logits.

    A layer of padding becomes the padding of the convolution or pooling after it, and ReLU works in place, as users of
    PyTorch write it.
    """

    def __init__(self, model):
        super().__init__()
        self.steps, padding = [], {}  # {ZeroPadding2D's output: pixels on each side}
        self.input, self.output = model.input, model.output
        for call in model.calls:
            layer, (output,) = call.layer, call.outputs
            if isinstance(layer, layers.ZeroPadding2D):
                padding[output] = (call.inputs[0], layer.padding[0][0])
                continue
            inputs = [padding.get(tensor, (tensor, 0))[0] for tensor in call.inputs]
            module = as_module(layer, padding.get(call.inputs[0], (None, 0))[1], call.inputs[0].shape[1:3])
            if isinstance(module, nn.Module):
                self.add_module(layer.name, module)
            self.steps.append((module, inputs, output))
        last_user = {tensor: output for _, inputs, output in self.steps for tensor in inputs}
        self.ends = {
            each: [tensor for tensor, user in last_user.items() if user is each] for each in last_user.values()
        }

    def forward(self, x):
        values = {self.input: x}
        for module, inputs, output in self.steps:
            arguments = [values[tensor] for tensor in inputs]
            values[output] = module(arguments) if not isinstance(module, nn.Module) else module(*arguments)
            for tensor in self.ends.get(output, ()):
                del values[tensor]
        return values[self.output]


def as_module(layer, padding, size):
    """Return one layer as a module with the same weights, or a function of a list where there is no module.

    padding   of a convolution or pooling that is 'valid'
    size      (rows, columns) of the layer's input. PyTorch's `padding` is equal on both sides, as minitl's 'same' is at
              stride 1; at another stride, 'same' depends on the size, and is a layer of its own
    """
    before = after = nn.Identity()
    if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
        kh, kw, c, f = layer.kernel.shape
        is_depthwise = isinstance(layer, layers.DepthwiseConv2D)  # (KH, KW, C, 1): a kernel of its own for each channel
        around = (kh // 2, kw // 2) if layer.padding == "same" else padding
        if layer.padding == "same" and layer.strides != (1, 1):
            rows, columns = (axis(*each, "same") for each in zip(size, (kh, kw), layer.strides))
            before, around = nn.ZeroPad2d((columns.before, columns.after, rows.before, rows.after)), 0
        if layer.activation == "relu":
            after = nn.ReLU(inplace=True)
        filters, groups, order = (c, c, (2, 3, 0, 1)) if is_depthwise else (f, 1, (3, 2, 0, 1))
        module = nn.Conv2d(c, filters, (kh, kw), layer.strides, around, groups=groups, bias=layer.use_bias)
        arrays = {"weight": layer.kernel.transpose(order), "bias": layer.bias}
    elif isinstance(layer, layers.BatchNormalization):
        module = nn.BatchNorm2d(len(layer.moving_mean), eps=layer.epsilon, momentum=1 - layer.momentum)
        module.weight.requires_grad_(layer.scale)
        arrays = {"weight": layer.gamma, "bias": layer.beta, "running_mean": layer.moving_mean}
        arrays["running_var"] = layer.moving_variance
    elif isinstance(layer, layers.Dense):
        module, arrays = nn.Linear(*layer.kernel.shape), {"weight": layer.kernel.T, "bias": layer.bias}
    elif isinstance(layer, (layers.Activation, layers.ReLU)):
        return nn.ReLU6(inplace=True) if is_relu6(layer) else nn.ReLU(inplace=True)
    elif isinstance(layer, layers.Softmax):
        return nn.Softmax(dim=1)
    elif isinstance(layer, layers.UpSampling2D):
        return nn.Upsample(scale_factor=layer.size, mode=layer.interpolation)
    elif isinstance(layer, layers.Reshape):
        return Rows(layer.target_shape)
    elif isinstance(layer, layers.MaxPooling2D):
        return nn.MaxPool2d(layer.pool_size, layer.strides, padding)
    elif isinstance(layer, layers.AveragePooling2D):
        return nn.AvgPool2d(layer.pool_size, layer.strides, layer.pool_size[0] // 2, count_include_pad=False)
    elif isinstance(layer, layers.GlobalAveragePooling2D):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    else:
        return {layers.Add: sum, layers.Concatenate: lambda x: torch.cat(x, dim=1)}[type(layer)]
    for name, array in arrays.items():
        if array is not None:
            tensor = torch.from_numpy(np.array(array, order="C"))
            getattr(module, name).data = tensor.to(memory_format=torch.contiguous_format)
    steps = [each for each in (before, module, after) if not isinstance(each, nn.Identity)]
    return module if len(steps) == 1 else nn.Sequential(*steps)


def is_relu6(layer):
    """Return whether a layer is a ReLU that ends at 6."""
    return getattr(layer, "activation", None) == "relu6"


class Rows(nn.Module):
    """The numbers of a map in the order of minitl, in another shape: place by place, and not channel by channel."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.permute(0, 2, 3, 1).reshape(len(x), *self.shape)


def tensor(images, options):
    """Return images (N, H, W, 3) as a tensor in the layout of the options."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=layout(options))


def inference(options):
    """Return a function that runs a network on a batch."""
    if "threads" in options:
        torch.set_num_threads(options["threads"])
    if "network" in options:
        ours = networks.published(options["network"], options["size"])
        is_classifier = isinstance(ours.layers[-1], layers.Dense)
        model = nn.Sequential(Network(ours), nn.Softmax(dim=1)) if is_classifier else Network(ours)
    else:
        model = base()
    model = model.eval().to(memory_format=layout(options))
    x = tensor(networks.images(options["batch"], options["size"]), options)

    def forward():
        with torch.inference_mode():
            y = model(x)
            return (y.permute(0, 2, 3, 1) if y.ndim == 4 else y).numpy()

    return forward


def training(options):
    """Return a function that runs one training step."""
    model = published_classifier(options) if "network" in options else classifier(options)
    x = tensor(networks.images(options["batch"], options["size"]), options)
    t = torch.from_numpy(networks.labels(options["batch"]))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=0.9)

    def step():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), t)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def published_classifier(options):
    """Return ResNet50 or InceptionV3 for training: the same parameters are frozen as in minitl.

    Frozen batch normalizations keep their moving statistics.
    """
    ours = minitl_engine.trained(options)
    model = Network(ours).to(memory_format=layout(options)).train()
    for layer in ours.layers:
        if layer.weights and not layer.trainable:
            model.get_submodule(layer.name).eval().requires_grad_(False)
    return model


def classifier(options):
    """Return VGG16's base with a dense head, partly frozen as the options say."""
    dense = nn.Linear(512, networks.CLASSES)
    with torch.no_grad():
        dense.weight.copy_(torch.from_numpy(networks.dense_weights(512, networks.CLASSES).T))
        dense.bias.zero_()
    model = nn.Sequential(*base(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), dense).to(memory_format=layout(options))
    first_trained = {"all layers": 0, "last block": 24, "head": 31}[options["part"]]  # block5_conv1 is layer 24
    for index, layer in enumerate(model):
        layer.requires_grad_(index >= first_trained)
    return model


def recipe(options):
    """Return a function that runs ten epochs of transfer learning.

    Every epoch runs the frozen base, as users write it. With `cached`, the features are kept by hand.
    """
    size, count, cached = options["size"], options["images"], options.get("cached", False)
    images, targets = networks.images(count, size), torch.from_numpy(networks.labels(count))

    def program():
        torch.manual_seed(0)
        convolutions = base().to(memory_format=layout(options)).requires_grad_(False)
        inputs = 512 * (size // 32) ** 2
        head = nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, networks.CLASSES)
        )
        x, run_base = tensor(images, options), convolutions
        if cached:
            with torch.inference_mode():
                x = torch.cat([convolutions(batch) for batch in x.split(32)]).clone()
            run_base = nn.Identity()
        optimizer = torch.optim.Adam(head.parameters(), lr=1e-4)
        fifth = count // 5
        losses = []
        for _ in range(options["epochs"]):
            head.train()
            total = 0.0
            for batch in (torch.randperm(count - fifth) + fifth).split(32):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(head(run_base(x[batch])), targets[batch])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(batch)
            losses.append(total / (count - fifth))
            head.eval()
            with torch.inference_mode():
                head(run_base(x[:fifth])).argmax(dim=1).eq(targets[:fifth]).float().mean().item()
        return losses

    return program
