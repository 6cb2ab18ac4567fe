"""One photograph: load_img, img_to_array, preprocess_input, predict, and the names of the best classes."""

import os

import numpy as np
from keras.applications.vgg16 import preprocess_input
from keras.layers import Conv2D, Dense, GlobalMaxPooling2D, Input
from keras.models import Model
from keras.preprocessing.image import img_to_array, load_img


def main(folder, start):
    inputs = Input(shape=(32, 24, 3))
    x = Conv2D(8, 5, strides=2, activation="relu")(inputs)
    model = Model(inputs, Dense(6, activation="softmax")(GlobalMaxPooling2D()(x)))
    start(model)
    names, found = ["ant", "bee", "cat", "dog", "elk", "fox"], {}
    for name in sorted(os.listdir(os.path.join(folder, "bees"))):
        image = load_img(os.path.join(folder, "bees", name), target_size=(32, 24))
        x = preprocess_input(np.expand_dims(img_to_array(image), axis=0))
        (probabilities,) = model.predict(x, verbose=0)
        best = probabilities.argsort()[::-1][:3]
        found[name] = probabilities[best]
        found[f"{name} is"] = [names[number] for number in best]
    return found
