"""The words that decided, and where an encoder looks: what a model for texts makes of a single text.

**Gradient times input.** The score of a class is a function of the vectors of all tokens. If it were linear, each token
would contribute its vector times the gradient, and these contributions would add up to the score:

    contribution_t = sum over d of  dscore/dx_td  x_td        x (T, D): the vectors of the tokens, score: a number

The network is not linear. Worse, a normalization behind the vectors makes the gradient of a text as it is nearly
perpendicular to them: their length no longer counts, and the sign of the product says nothing. So the gradient is the
mean of those at a few points on the way from no words at all (x = 0) to the text (integrated gradients, Sundararajan et
al. 2017). The contributions then add up to score(text) - score(no words), up to the error of the mean. The score is the
class's logit less the mean of all logits: probabilities near 1 have no slope.

**Attention.** Each head of each layer says how much a token takes from every other token. It shows what is looked at,
not what it is used for.
"""

import numpy as np

from ...layers import Embedding, MultiHeadAttention
from ...models import Model
from ...progress import Progress

BATCH = 16  # texts at a time
STEPS = 8  # points on the way from no words to a text


class WordContributions:
    """The contributions of the tokens of texts to the scores of a `prediction.TextClassifier`."""

    def __init__(self, classifier):
        self.tokenizer, self.length = classifier.tokenizer, classifier.length
        model = classifier.model
        lookups = [call for call in model.calls if isinstance(call.layer, Embedding) and call.inputs[0] is model.input]
        vectors, last = lookups[0].outputs[0], model.output.call
        self.dense = last.layer
        self.look_up = Model(model.input, vectors)
        self.rest = model.part([model.input, vectors], last.inputs[0])

    def of(self, source, positions, labels):
        """Return the contributions (n, T) of the tokens at `positions` of a `source.TextSource` to the scores of
        `labels` (n,)."""
        tokens = source.read(positions)
        vectors = self.look_up.forward(tokens, gradients="none")  # (n, T, D)
        kernel = self.dense.kernel  # (D', classes): score_k = features @ (kernel_k - mean of all columns)
        grad = np.ascontiguousarray((kernel - kernel.mean(axis=1, keepdims=True))[:, labels].T)  # (n, D')
        found = np.zeros(vectors.shape[:2], np.float32)
        for step in range(STEPS):
            share = np.float32((step + 0.5) / STEPS)  # of the way from no words to the text
            arrays = [tokens, share * vectors][-len(self.rest.inputs) :]  # without a mask, the vectors alone
            self.rest.forward(arrays, gradients="input")
            *_, gradient = self.rest.input_structure.flat(self.rest.backward(grad), "gradients")
            found += (gradient * vectors).sum(axis=-1) / STEPS
        return found  # (n, T)

    def words(self, text, contributions):
        """Return [(piece of the text, contribution)] with the spaces between as pieces of contribution 0: all pieces
        together are the text. `contributions` (T,) are those of its tokens.

        Pieces of one word are added up. What was cut off has the contribution None.
        """
        encoded = self.tokenizer.encode(text, self.length, warn=False)
        found, place = [], 0
        for token, (start, end), contribution in zip(encoded.tokens, encoded.offsets, contributions.tolist()):
            if end == start:
                continue  # a special token
            if token.startswith("##") and found and start == place:
                before, so_far = found.pop()
                found.append((before + text[start:end], so_far + contribution))
            else:
                if start > place:
                    found.append((text[place:start], 0.0))
                found.append((text[start:end], contribution))
            place = end
        rest = text[place:]
        if rest:
            found.append((rest, None if encoded.dropped else 0.0))
        return found


def words_that_decide(contributions, source, texts, labels, positions, most=12, least=3):
    """Return {label: [(word, mean contribution, texts with it)]}, the words that speak most for each class.

    contributions   a `WordContributions`;   positions   of the texts that are looked at;   least   texts with the word
    """
    sums = {}
    with Progress("Words that decided", len(positions)) as bar:
        for first in range(0, len(positions), BATCH):
            some = positions[first : first + BATCH]
            for position, row in zip(some, contributions.of(source, some, labels[some])):
                for word, value in contributions.words(texts[position], row[: source.lengths[position]]):
                    if value and word.strip():
                        sums.setdefault((labels[position], word.strip().lower()), []).append(value)
            bar.advance(len(some))
    table = {}
    for (label, word), values in sums.items():
        if len(values) >= least:
            table.setdefault(int(label), []).append((word, float(np.mean(values)), len(values)))
    return {label: sorted(rows, key=lambda row: -row[1])[:most] for label, rows in table.items()}


def attention_of(model, tokens):
    """Return [(name of the layer, weights (N, K, T, T))] of a model for token numbers (N, T), for each of its
    `MultiHeadAttention` layers: row t says how much the token t takes from each token."""
    calls = [call for call in model.calls if isinstance(call.layer, MultiHeadAttention)]
    if not calls:
        return []
    wanted = {tensor: tensor for call in calls for tensor in call.inputs}  # a dict comes back, also of a single tensor
    found = Model(model.input, wanted).forward(tokens, gradients="none")
    weights = []
    for call in calls:
        inputs, by_name = call.arguments([found[tensor] for tensor in call.inputs])
        _, scores = call.layer.forward(inputs, **{**by_name, "return_attention_scores": True})
        call.layer.forget()
        weights.append((call.layer.name, scores))
    return weights
