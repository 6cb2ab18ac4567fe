"""Weights by name: a new head keeps its own, a layer of other sizes is passed over."""

import keras
from keras import layers

x, y = table(10, 5)
model = keras.Sequential([layers.Input((5,)), layers.Dense(6, name="base"), layers.Dense(3, name="head")])
start(model)
model.save("old.h5")
new = keras.Sequential([layers.Input((5,)), layers.Dense(6, name="base"), layers.Dense(2, name="new_head")])
start(new, 5)
new.load_weights("old.h5", by_name=True)
other = keras.Sequential([layers.Input((5,)), layers.Dense(6, name="base"), layers.Dense(4, name="head")])
start(other, 6)
other.load_weights("old.h5", by_name=True, skip_mismatch=True)
numbers = [new.predict(x, verbose=0), other.predict(x, verbose=0)]
