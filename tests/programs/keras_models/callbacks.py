"""Checkpoints named after the epoch, early stopping, a rate that falls, and a table of the epochs."""

import os

from keras.callbacks import CSVLogger, EarlyStopping, LambdaCallback, ModelCheckpoint, ReduceLROnPlateau, TerminateOnNaN
from keras.layers import Dense, Input
from keras.models import Sequential

x, y = table(40, 5)
model = Sequential([Input((5,)), Dense(8, activation="relu"), Dense(1)])
start(model)
model.compile(loss="mse", optimizer="sgd", metrics=["mae"])
seen = []
callbacks = [
    ModelCheckpoint("best-{epoch:02d}.keras", monitor="val_loss", save_best_only=True),
    EarlyStopping(monitor="val_loss", patience=2, min_delta=0.5, restore_best_weights=True, start_from_epoch=2),
    ReduceLROnPlateau(monitor="val_loss", factor=0.2, patience=1, min_lr=1e-5),
    CSVLogger("log.csv"),
    TerminateOnNaN(),
    LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(logs["loss"])),
]
history = model.fit(
    x, y, epochs=12, initial_epoch=1, validation_split=0.25, callbacks=callbacks, shuffle=False, verbose=0
)
files = sorted(name for name in os.listdir(".") if name.startswith("best-"))
header = open("log.csv").readline().strip().split(",")
numbers = [seen, history.history["val_mae"], history.epoch, model.evaluate(x, y, verbose=0)]
texts = [sorted(history.history), files, sorted(header)]
