"""Published weights: finding, fetching and checking them. Reading order: `catalogue` (what is published, where a copy
lies, whether it is the right one), `download`, `packages` (weights that a package index has), `mirror` (VGG16's base
from there), `offsets` (arrays out of PyTorch's first format), `efficientnet` (a small network for images from there),
`text` (a sentence encoder and word vectors from there), `glove` (the word vectors as arrays), `sound` (networks that
hear words and know voices)."""
