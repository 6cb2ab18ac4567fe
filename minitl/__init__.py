"""minitl: transfer learning with convolutional networks in plain NumPy, written to be read.

    kernels -> layers, losses, optimizers, metrics -> models -> weights, data -> training -> features, transfer
            -> applications -> cli            (each imports only what stands to the left of it)

Start reading at `minitl.models.graph`: `forward` runs an image through the layers, `backward` its gradient back.
"""

__version__ = "0.1.0"
