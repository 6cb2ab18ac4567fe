"""The architecture as JSON text, and weights beside it."""

import json

import keras
from keras import layers

x, y = table(10, 4)
inputs = layers.Input((4,), name="numbers")
hidden = layers.Dense(6, activation="selu", kernel_regularizer="l2", name="hidden")(inputs)
model = keras.Model(inputs, layers.Dense(2, name="last")(layers.Dropout(0.5)(hidden)), name="net")
start(model)
text = model.to_json()
model.save_weights("net.weights.h5")
again = keras.models.model_from_json(text)
again.load_weights("net.weights.h5")
third = keras.Model.from_config(model.get_config())
third.set_weights(again.get_weights())
numbers = [again.predict(x, verbose=0), third.predict(x, verbose=0)]
texts = [json.loads(text)["class_name"], [layer.name for layer in again.layers], again.name]
