"""Signs between tensors: a gate, a residual sum, a normalization by hand."""

import keras
from keras import layers

x, y = table(24, 6)
inputs = layers.Input(shape=(6,))
h = layers.Dense(6, activation="tanh")((inputs - 0.1) / 2.0)
gate = layers.Dense(6, activation="sigmoid")(inputs)
h = gate * h + (1 - gate) * inputs
h = h * 0.5 + h[:, 1:2] - (-h) ** 2
outputs = layers.Dense(1)(h)
model = keras.Model(inputs, outputs)
start(model)
model.compile("rmsprop", "mae")
history = model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
numbers = [history.history["loss"], model.predict(x, verbose=0)]
