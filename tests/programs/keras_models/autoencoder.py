"""An autoencoder: Reshape, Conv2DTranspose and UpSampling2D."""

import keras
import numpy as np
from keras import layers

images = np.random.default_rng(2).random((8, 8, 8, 1)).astype("float32")
encoder = keras.Sequential(
    [layers.Input((8, 8, 1)), layers.Conv2D(4, 3, strides=2, padding="same"), layers.Flatten(), layers.Dense(6)]
)
inputs = layers.Input((6,))
x = layers.Dense(2 * 2 * 4, activation="relu")(inputs)
x = layers.Reshape((2, 2, 4))(x)
x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu")(x)
x = layers.UpSampling2D(2)(x)
decoder = keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x))
images_in = layers.Input((8, 8, 1))
model = keras.Model(images_in, decoder(encoder(images_in)))
start(model)
model.compile("adam", "binary_crossentropy")
history = model.fit(images, images, batch_size=4, epochs=3, shuffle=False, verbose=0)
numbers = [history.history["loss"], encoder.predict(images, verbose=0), model.predict(images, verbose=0)]
