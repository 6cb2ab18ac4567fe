"""Penalties on kernels, and a rate that falls exponentially."""

import keras
from keras import layers, regularizers

x, y = table(48, 5)
schedule = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=4, decay_rate=0.9, staircase=True)
model = keras.Sequential(
    [
        layers.Input((5,)),
        layers.Dense(8, activation="relu", kernel_regularizer=regularizers.l2(0.01), bias_regularizer="l1"),
        layers.Dense(1, kernel_regularizer=regularizers.L1L2(l1=1e-3, l2=1e-3)),
    ]
)
start(model)
model.compile(keras.optimizers.SGD(learning_rate=schedule, momentum=0.9), loss="mse", metrics=["mse"])
history = model.fit(x, y, epochs=4, batch_size=8, validation_data=(x, y), shuffle=False, verbose=0)
numbers = [history.history[name] for name in sorted(history.history)] + [model.evaluate(x, y, verbose=0)]
