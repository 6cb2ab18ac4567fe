"""history["acc"] for plots; RMSprop with a rate of its own; leaky units."""

from keras.layers import Dense, Dropout, Input, LeakyReLU
from keras.models import Sequential
from keras.optimizers import RMSprop

x, y = table(60, 4)
model = Sequential()
model.add(Input(shape=(4,)))
model.add(Dense(9))
model.add(LeakyReLU(negative_slope=0.1))
model.add(Dense(5, activation="swish"))
model.add(Dropout(0.0))
model.add(Dense(1, activation="sigmoid"))
start(model)
model.compile(optimizer=RMSprop(learning_rate=2e-3), loss="binary_crossentropy", metrics=["acc"])
history = model.fit(x, y > 0, epochs=4, batch_size=20, validation_split=0.2, shuffle=False, verbose=0)
acc, val_acc = history.history["acc"], history.history["val_acc"]
epochs = range(1, len(acc) + 1)
numbers = [acc, val_acc, history.history["loss"], history.history["val_loss"], list(epochs)]
