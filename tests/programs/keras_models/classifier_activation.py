"""A network with logits at its end, a loss from logits, and a sequence of whole models."""

import keras
import numpy as np
from keras.applications.resnet50 import ResNet50, preprocess_input

base = ResNet50(weights=None, classes=4, input_shape=(32, 32, 3), classifier_activation=None)
start(base)
model = keras.Sequential([base])
model.compile(
    optimizer=keras.optimizers.SGD(1e-6),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseTopKCategoricalAccuracy(k=2)],
)
x = preprocess_input(np.random.default_rng(3).integers(0, 256, (4, 32, 32, 3)).astype("float32"))
numbers = [model.predict(x, verbose=0), model.evaluate(x, np.arange(4), verbose=0)]
