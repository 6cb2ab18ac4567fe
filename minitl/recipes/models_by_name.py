"""Networks by name: the name of an application, or the file of a saved model; and a published network as a model that
names ImageNet's classes."""

from .. import initializers
from ..applications import NETWORKS, bases, find
from ..applications.imagenet import classes
from ..errors import ArgumentError
from ..graph.summary import flops
from ..models import load_model
from .settings import SettingError, require_one_of
from .view import CROP

NOTOP = "-notop"


def model_by_name(name, include_top=True, input_shape=None):
    """Return the model of that name, to inspect its layers: the weights of an application are not initialized.

    `name` is an application's (vgg16, efficientnet_lite0, ...; with -notop for its base alone), or a file from
    `model.save`.
    """
    is_notop = name.lower().endswith(NOTOP)
    application = find(name.lower().removesuffix(NOTOP))
    if application is None:
        if not include_top or input_shape:
            text = "{} and {} go with an application's name ({some})."
            raise SettingError(text, "include_top", "input_shape", some=", ".join(NETWORKS))
        return load_model(name)
    try:
        with initializers.weights_will_be_loaded():  # the weights are not used
            return application.build(weights=None, include_top=include_top and not is_notop, input_shape=input_shape)
    except ArgumentError as error:
        rest = str(error).removeprefix("input_shape")
        if rest == str(error):
            raise
        raise SettingError("{}{rest}", "input_shape", rest=rest) from None


def imagenet_model(base):
    """Return a published network with its top, as `prediction.Classifier` takes it: it names ImageNet's thousand
    classes. Its weights are fetched if they are not on this machine."""
    require_one_of("base", base, bases())
    model = NETWORKS[base].build()
    names = [name for _, name in classes()]
    model.metadata = {"class_names": names, "preprocessing": base, "crop": CROP}
    return model


def summary_as_data(model):
    """Return the content of `model.summary()`, as JSON can hold it, and the FLOP of an image where its size is
    known."""
    results = {
        "name": model.name,
        "parameters": model.count_params(),
        "trainable_parameters": model.count_params(trainable_only=True),
        "layers": [
            {
                "name": tensor.layer.name,
                "class": type(tensor.layer).__name__,
                "output_shape": tensor.shape,
                "parameters": tensor.layer.count_params(),
                "trainable": tensor.layer.trainable,
            }
            for tensor in model.tensors
        ],
    }
    if None not in model.input_shape[1:]:
        results["flops"] = flops(model)
    return results
