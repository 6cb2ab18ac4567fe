"""AUC, precision, recall and their kin, while training."""

import keras
import numpy as np
from keras import layers, metrics

x, y = table(80, 6)
labels = (y[:, 0] + 0.3 * x[:, 1] > 0).astype("float32")
model = keras.Sequential([layers.Input((6,)), layers.Dense(5, "relu"), layers.Dense(1, "sigmoid")])
start(model)
watched = [
    "accuracy",
    metrics.AUC(name="roc"),
    metrics.AUC(curve="PR", num_thresholds=50),
    metrics.Precision(),
    metrics.Recall(thresholds=0.4),
    metrics.MeanSquaredError(),
    metrics.RootMeanSquaredError(),
]
model.compile("adam", "binary_crossentropy", metrics=watched)
history = model.fit(x, labels, epochs=3, batch_size=16, validation_split=0.25, shuffle=False, verbose=0)
numbers = [history.history[name] for name in sorted(history.history)]
texts = [sorted(history.history)]
model.compile("adam", "binary_crossentropy", metrics=[metrics.TruePositives(name="tp"), metrics.FalseNegatives(0.6)])
numbers.append(model.evaluate(x, labels, verbose=0))
many = keras.Sequential([layers.Input((6,)), layers.Dense(7, "softmax")])
start(many)
top = [
    metrics.TopKCategoricalAccuracy(3),
    metrics.F1Score("macro"),
    metrics.Precision(top_k=2),
    metrics.Recall(class_id=1),
]
many.compile("sgd", "categorical_crossentropy", metrics=top)
numbers.append(many.evaluate(x, np.eye(7)[np.arange(80) % 7], verbose=0))
