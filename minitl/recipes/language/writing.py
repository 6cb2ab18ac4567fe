"""A language model writes: again and again it reads the text so far and adds a token.

    from minitl.recipes.language import load, write
    model, tokenizer = load("stories260K.bin")
    print(write(model, tokenizer, "Once upon a time", tokens=100))

With temperature 0 the token with the highest score is added: the same text every time. Above 0 the token is drawn, with
the probabilities softmax(scores / temperature). Below 1 the likely ones become more likely. `top_p` takes out the
unlikely ones: those beyond the most likely ones that together have this probability (Holtzman et al. 2020).
"""

import numpy as np

from ...arguments import number, whole_number
from ...errors import ArgumentError, DataError
from ...kernels.activations import softmax
from .reading import Reader

HIGHEST_TEMPERATURE = 100.0
UNFINISHED = "\ufffd"  # what `decode` gives for the first bytes of a character whose last bytes are still to come


def write(model, tokenizer, prompt="", tokens=200, temperature=0, top_p=1.0, seed=0):
    """Return the text that a model writes: the prompt, and up to `tokens` tokens more. Arguments as in `write_each`."""
    return "".join(write_each(model, tokenizer, prompt, tokens, temperature, top_p, seed))


def write_each(model, tokenizer, prompt="", tokens=200, temperature=0, top_p=1.0, seed=0):
    """Yield the text that a model writes, piece by piece: first the prompt, then what each token adds.

    model, tokenizer   as `load` returns them
    tokens             the most tokens to add. The text ends before if the model ends it
    temperature        0: the most likely token; above 0: drawn, with softmax(scores / temperature)
    top_p              draw among the most likely tokens that together have this probability
    seed               of the draws

    Raises ArgumentError for values that make no sense, and DataError for a prompt with unknown characters.
    """
    if not isinstance(prompt, str):
        raise ArgumentError(f"prompt is {prompt!r}; expected a text.")
    tokens, seed = whole_number(tokens, "tokens", least=0), whole_number(seed, "seed", least=0)
    temperature, top_p = number(temperature, "temperature", 0, HIGHEST_TEMPERATURE), number(top_p, "top_p", 0, 1)
    return _pieces(model, tokenizer, prompt, tokens, temperature, top_p, np.random.default_rng(seed))


def _pieces(model, tokenizer, prompt, tokens, temperature, top_p, rng):
    """Yield the pieces of `write_each`."""
    ids, hidden = first_tokens(tokenizer, prompt)
    reader, shown = Reader(model), ""
    for step in range(tokens + 1):
        text = tokenizer.decode(ids[hidden:])  # whole, since a character may be made of several tokens
        if len(text) > len(shown) and (not text.endswith(UNFINISHED) or step == tokens):
            yield text[len(shown) :]
            shown = text
        if step < tokens:
            token = chosen(reader.scores(ids), temperature, top_p, rng)
            if token in (*tokenizer.begin, *tokenizer.end):
                return
            ids.append(token)


def first_tokens(tokenizer, prompt):
    """Return (the tokens to begin with, how many of them are not shown).

    A model needs a token before it can predict one. A tokenizer for texts has one that begins them. Without one, and
    without a prompt, a line break is put before the text, or the first token if there is no line break.
    """
    ids = [*tokenizer.begin, *tokenizer.numbers(prompt)]
    if ids:
        return ids, 0
    return [tokenizer.tokens.index("\n") if "\n" in tokenizer.tokens else 0], 1


def chosen(scores, temperature, top_p, rng):
    """Return the number of the next token, by its scores (V,)."""
    if not np.isfinite(scores).all():
        raise DataError("the model's scores are not finite: its weights are damaged, or its training has diverged.")
    if temperature == 0:
        return int(scores.argmax())
    probabilities = softmax(scores.astype(np.float64) / temperature)
    order = np.argsort(-probabilities, kind="stable")
    sums = np.cumsum(probabilities[order])
    kept = int(np.searchsorted(sums, top_p * sums[-1])) + 1  # the fewest that reach top_p: one at least
    kept = min(kept, len(order))
    return int(order[np.searchsorted(sums[:kept], rng.random() * sums[kept - 1], side="right")])
