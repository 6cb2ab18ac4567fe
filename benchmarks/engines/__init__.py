"""The engines: the same programs in the words of each library.

A module has some of these functions. Each sets everything up, and returns a function that does the work once:

    inference(options)   VGG16's base on a batch; returns the features (N, h, w, 512)
    training(options)    one step of SGD with momentum on a batch; returns the loss before it
    recipe(options)      the ten epochs of transfer learning; returns the losses
    suppression(options) non-maximum suppression; returns the numbers of the boxes that are kept, best first

The engines whose names end in `_text` have `inference` and `training` for the networks of `texts`.

`options` is a dictionary of plain values (batch, size, ...). Weights and images come from `networks`; all engines use
the same.
"""
