"""Where `fit` is. Together with the model and the optimizer, this is all that the rest of a training depends on."""

from .history import History


class TrainingState:
    """What `fit` goes by, and a checkpoint keeps.

    epoch         the one that is being trained, from 0
    begun         have callbacks been told of its beginning?
    order         the order of the images in it, or None before it is drawn
    images_done   how many of them, from its front, have been trained on
    averages      loss and metrics over these
    generator     draws the orders
    history       of the epochs before
    finished      the training came to its end
    moved         names of the layers that have been trainable in some epoch
    task          what is trained on what, as a function without arguments: only a checkpoint wants to know
    """

    def __init__(self, epoch, generator, averages, callbacks, task):
        self.epoch, self.generator, self.averages = epoch, generator, averages
        self.callbacks, self.task = callbacks, task
        self.history = History()
        self.finished, self.moved = False, set()
        self.start_epoch(epoch)

    def start_epoch(self, epoch):
        self.epoch, self.begun, self.order, self.images_done = epoch, False, None, 0
        self.averages.reset()


class Averages:
    """Loss and metrics over the batches so far; a smaller last batch counts for less."""

    def __init__(self, metrics):
        self.metrics = metrics
        self.reset()

    def reset(self):
        self.total_loss, self.images = 0.0, 0
        for _, metric in self.metrics:
            metric.reset()

    def add(self, loss, y_true, y_pred):
        self.total_loss += loss * len(y_pred)
        self.images += len(y_pred)
        for _, metric in self.metrics:
            metric.update(y_true, y_pred)

    def loss(self):
        return self.total_loss / self.images

    def results(self):
        return {"loss": self.loss(), **{name: metric.result() for name, metric in self.metrics}}
