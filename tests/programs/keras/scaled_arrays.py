"""Pixels divided by 255, which gives float64, and one-hot labels."""

import numpy as np
from keras.layers import BatchNormalization, Conv2D, Dense, Flatten, Input
from keras.models import Sequential
from keras.utils import to_categorical


def main(folder, start):
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (40, 9, 9, 1)).astype("uint8"), rng.integers(0, 4, (40, 1))
    x_train, y_train = x[:30] / 255, to_categorical(y[:30], 4)
    model = Sequential()
    model.add(Input((9, 9, 1)))
    model.add(Conv2D(5, (3, 3), activation="relu"))
    model.add(BatchNormalization())
    model.add(Flatten())
    model.add(Dense(4, activation="softmax"))
    start(model)
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
    weights = {0: 1.0, 1: 2.0, 2: 1.5, 3: 0.5}
    history = model.fit(
        x_train, y_train, batch_size=7, epochs=2, verbose=0, shuffle=False, validation_split=0.2, class_weight=weights
    )
    scores = model.evaluate(x[30:] / 255, to_categorical(y[30:], 4), verbose=0)
    return {**history.history, "scores": scores, "of pixels": model.predict(x[30:], verbose=0)}
