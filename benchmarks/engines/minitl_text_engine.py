"""The programs for text in minitl: `options["network"]` is one of `texts`."""

from minitl.losses import SparseCategoricalCrossentropy
from minitl.optimizers import Adam

from .. import networks, texts


def inference(options):
    """Return a function that computes the vectors of a batch of texts."""
    model, x = texts.encoder(), inputs("minilm", options["batch"])
    return lambda: model.forward(x, gradients="none")


def training(options):
    """Return a function that runs one training step."""
    network, batch = options["network"], options["batch"]
    model, x = texts.trained(network, options["part"]), inputs(network, batch)
    t = texts.next_tokens(batch) if network == "decoder" else networks.labels(batch)
    criterion = SparseCategoricalCrossentropy(from_logits=network == "decoder")
    optimizer = Adam(1e-4, weight_decay=0.01)

    def step():
        loss = criterion.forward(t, model.forward(x, training=True))
        model.backward(criterion.backward())
        optimizer.step(model)
        return loss

    return step


def inputs(network, batch):
    """Return what the network takes."""
    tokens = texts.tokens(network, batch)
    return {"tokens": tokens, "mask": texts.mask(batch)} if network == "minilm" else tokens
