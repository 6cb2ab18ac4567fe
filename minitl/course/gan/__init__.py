"""Images that are made: a class-conditional generative adversarial network on Fashion-MNIST.

A *generator* makes an image from random numbers and a class. A *discriminator* says whether an image is real. Each
learns from the other: the discriminator to tell them apart, the generator to be taken for real (Goodfellow et al.
2014; with classes, Mirza & Osindero 2014; with convolutions, Radford, Metz & Chintala 2016).

Here this is two models, two losses and two optimizers that take turns: eight lines in `training.one_step`. Nothing is
frozen. Each optimizer steps its own model, and that is enough: the discriminator also gets gradients in the generator's
turn, and nobody uses them. (To freeze it in that turn would be wrong where it has batch normalization: a frozen one
uses its moving statistics, and so would judge differently in the two turns.)

Reading order: `networks`, `training`, `judging` (what the images are worth: Fréchet distance, classes, transfer),
`study`, which is `minitl study gan`.
"""
