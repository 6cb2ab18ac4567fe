"""Branches that are put together by functions: concatenate, add, maximum, average."""

import keras
from keras.layers import Dense, Input, add, average, concatenate, maximum, multiply, subtract

x, y = table(24, 5)
left, right = Input((5,), name="left"), Input((5,), name="right")
a, b = Dense(4, activation="relu")(left), Dense(4, activation="elu")(right)
both = concatenate([add([a, b]), maximum([a, b]), average([a, b]), multiply([a, b]), subtract([a, b])], axis=-1)
model = keras.Model(inputs=[left, right], outputs=[Dense(1, name="size")(both), Dense(1, name="other")(a)])
start(model)
model.compile("adam", {"size": "mse", "other": "mae"}, loss_weights={"size": 1.0, "other": 0.5})
history = model.fit({"left": x, "right": x[::-1].copy()}, {"size": y, "other": -y}, epochs=2, shuffle=False, verbose=0)
numbers = [history.history[name] for name in sorted(history.history)]
texts = [sorted(history.history), [len(model.inputs), len(model.outputs)]]
