"""Things that happen between epochs, under Keras's names."""


class Callback:
    """`fit` sets `model` and calls the two methods around every epoch; `logs` are the epoch's numbers."""

    model = None

    def on_epoch_begin(self, epoch, logs=None):
        pass

    def on_epoch_end(self, epoch, logs=None):
        pass


class LearningRateScheduler(Callback):
    """`schedule(epoch, learning_rate)` gives the learning rate of each epoch, counted from 0."""

    def __init__(self, schedule):
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(self.schedule(epoch, optimizer.learning_rate))
