"""ImageDataGenerator on a folder, and a new head on a frozen base of convolutions."""

import numpy as np
from keras.layers import Conv2D, Dense, GlobalAveragePooling2D, Input, MaxPooling2D
from keras.models import Model
from keras.optimizers import Adam
from keras.preprocessing.image import ImageDataGenerator


def base_of_vgg16(shape):
    inputs = Input(shape)
    x = Conv2D(4, 3, padding="same", activation="relu", name="block1_conv1")(inputs)
    x = MaxPooling2D(2, strides=2, name="block1_pool")(x)
    x = Conv2D(6, 3, padding="same", activation="relu", name="block2_conv1")(x)
    return Model(inputs, MaxPooling2D(2, strides=2, name="block2_pool")(x))


def main(folder, start):
    datagen = ImageDataGenerator(rescale=1.0 / 255, validation_split=0.4)
    options = {"target_size": (24, 20), "batch_size": 4, "class_mode": "categorical", "shuffle": False}
    train_generator = datagen.flow_from_directory(folder, subset="training", **options)
    validation_generator = datagen.flow_from_directory(folder, subset="validation", **options)
    base_model = base_of_vgg16((24, 20, 3))
    x = GlobalAveragePooling2D()(base_model.output)
    x = Dense(8, activation="relu")(x)
    model = Model(inputs=base_model.input, outputs=Dense(len(train_generator.class_indices), activation="softmax")(x))
    start(model)
    for layer in base_model.layers:
        layer.trainable = False
    model.compile(optimizer=Adam(learning_rate=0.01), loss="categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(
        train_generator,
        steps_per_epoch=train_generator.samples // train_generator.batch_size,
        validation_data=validation_generator,
        epochs=3,
        verbose=0,
        shuffle=False,
    )
    validation_generator.reset()
    predicted = model.predict(validation_generator, verbose=0)
    right = np.mean(predicted.argmax(axis=1) == validation_generator.classes)
    names = sorted(train_generator.class_indices, key=train_generator.class_indices.get)
    return {**history.history, "predicted": predicted, "right": right, "names": names}
