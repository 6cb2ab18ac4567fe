"""What training tells: the record that `fit` returns, and the lines that it prints."""


class History:
    """`history.history` maps "loss", "accuracy", "val_loss", "val_accuracy" to a list with one number an epoch."""

    def __init__(self):
        self.history = {}
        self.epoch = []

    def add(self, epoch, results):
        self.epoch.append(epoch)
        for name, value in results.items():
            self.history.setdefault(name, []).append(value)


def epoch_line(epoch, epochs, results, seconds=None):
    """`Epoch  3/10  loss 0.4321  accuracy 0.8720  1.2 s`"""
    numbers = "  ".join(f"{name} {value:.4f}" for name, value in results.items())
    return f"Epoch {epoch:>{len(str(epochs))}}/{epochs}  {numbers}" + ("" if seconds is None else f"  {seconds:.1f} s")
