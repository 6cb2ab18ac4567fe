"""A base on a tensor of the program, with pixels scaled in the graph; a head that learns."""

import numpy as np
from keras.applications import VGG16
from keras.layers import Dense, GlobalAveragePooling2D, Input
from keras.models import Model

images = Input(shape=(32, 32, 3))
base = VGG16(include_top=False, weights=None, input_tensor=images / 255.0)
base.trainable = False
x = GlobalAveragePooling2D()(base.output)
model = Model(inputs=images, outputs=Dense(3, activation="softmax")(x))
start(model)
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
x_train = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3)).astype("float32")
history = model.fit(x_train, np.eye(3)[np.arange(12) % 3], batch_size=4, epochs=2, shuffle=False, verbose=0)
numbers = [history.history["loss"], history.history["accuracy"], model.predict(x_train, verbose=0)]
