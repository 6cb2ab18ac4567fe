"""How transferable are features in deep neural networks? The experiment of Yosinski, Clune, Bengio & Lipson (NIPS 2014)
at small scale: a network of 104 thousand parameters, and Fashion-MNIST's ten classes as two tasks of five.

Reading order: `halves` (the two tasks), `network`, `pretraining` (base A), `transfer_study` (the experiment),
`findings` (what it says, computed), `plot` (the picture).
"""
