"""The experiment of Yosinski, Clune, Bengio & Lipson, "How transferable are features in deep neural networks?" (NIPS
2014), at small scale: a network of 104 thousand parameters, and Fashion-MNIST's ten classes as two tasks of five.

Reading order: `halves` (the two tasks), `network`, `pretraining` (base A), `transfer_study` (the experiment),
`findings` (its result, computed), `words` (the result as text), `plot` (the figure), `whole` (the whole study),
`processes`.

The result of `minitl study transfer`, with 250 images of B and eight seeds: accuracy points with their 95 % intervals,
for the similar and the dissimilar halves (`benchmarks/results/` has every number and the figure).

    the paper                                         similar                         dissimilar
    1 BnB falls in the middle, by                     0.2 (-0.6 to 1.0) not told      -0.6 (-1.4 to 0.1) no
    2 BnB+ is no worse than baseB; it is better by    0.2 (-0.9 to 1.4) holds         -0.3 (-0.9 to 0.3) holds
    3 AnB falls from the first cut to the last, by    10.3 (9.0 to 11.6) holds        11.7 (10.6 to 12.8) holds
    4 AnB+ is better than baseB, by                   2.2 (1.0 to 3.3) holds          0.4 (-0.6 to 1.5) not told
    5 AnB is better than RnB, by                      3.2 (2.4 to 3.9) holds          3.0 (1.9 to 4.0) holds
    6 AnB falls more where the tasks differ more, by             1.5 (-0.6 to 3.5) not told

So layers become specific towards the end of the network. The first three can be copied without loss. Copying all six
costs nine and twelve points. These six are still better than random ones, and fine-tuned they help where the tasks are
related. The fragile co-adaptation of the paper does not appear: training restores the layers that were cut off behind
layer n. Maybe this is easy here, because the network is small: that of the paper is eight layers deep and six hundred
times as large.

One thing differs from the paper and helps A: its base was trained on 30,000 images, and baseB on 250. Another may hurt
the last frozen layers: all trainings have the same length, and ten times as many epochs add up to four points there.
"""
