"""Networks that read a sentence: as an average, word by word, or all words at once.

    minitl explain sentences   word vectors, averages, an RNN and LSTMs; the gradient on its way back through time
    minitl explain attention   queries, keys and values by hand; masks; what a head looks at

Both learn from sentences that a program makes up, with GloVe's vectors of words, which are bundled. What is computed by
hand is computed a second time by the engine, as in `course.explain`.

Reading order: `words` (vectors and averages), `toy` (the sentences and who reads them), `formulas`, `through_time` (RNN
and LSTM by hand), `sentences` (the first command), `one_head` (attention by hand), `attention` (the second command),
`figures`.
"""

from .attention import explain_attention
from .sentences import explain_sentences

__all__ = ["explain_attention", "explain_sentences"]
