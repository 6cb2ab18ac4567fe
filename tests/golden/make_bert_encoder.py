"""Make bert_encoder.npz beside this script: the numbers of PyTorch's BERT, for `tests/texts/test_bert.py`.

    pip install transformers
    python tests/golden/make_bert_encoder.py

A small network with random weights from a fixed seed, under PyTorch's names, with tokens, a mask and types; every
result is that of the package transformers, in float64: the vectors after each block, the pooler's output, and the
gradients of some parameters for an upstream gradient of the pooler's output.
"""

from pathlib import Path

import numpy as np
import torch
import transformers

HERE = Path(__file__).resolve().parent
SIZES = {"vocab_size": 40, "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 20,
         "max_position_embeddings": 16, "type_vocab_size": 2}  # fmt: skip
WITH_GRADIENT = (
    "embeddings.word_embeddings.weight",
    "embeddings.token_type_embeddings.weight",
    "encoder.layer.0.attention.self.query.weight",
    "encoder.layer.1.attention.output.dense.bias",
    "encoder.layer.1.intermediate.dense.weight",
    "encoder.layer.2.output.LayerNorm.weight",
    "pooler.dense.weight",
)


def main():
    """Write the file."""
    config = transformers.BertConfig(**SIZES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    config._attn_implementation = "eager"
    model, rng = transformers.BertModel(config), np.random.default_rng(7)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            values = rng.standard_normal(parameter.shape) * (0.3 if parameter.ndim > 1 else 0.2)
            parameter.copy_(torch.tensor(values + name.endswith("LayerNorm.weight")))
    stored = {name: parameter.detach().numpy().copy() for name, parameter in model.named_parameters()}
    model.double()
    tokens = rng.integers(1, 40, (4, 9))
    mask, types = np.arange(9) < np.array([[9], [5], [1], [7]]), (np.arange(9) > 3) * np.ones((4, 1), int)
    tokens[~mask] = 0
    grad = rng.standard_normal((4, 12))
    result = model(torch.tensor(tokens), torch.tensor(mask).long(), torch.tensor(types), output_hidden_states=True)
    result.pooler_output.backward(torch.tensor(grad))
    gradients = {name: parameter.grad.numpy() for name, parameter in model.named_parameters() if name in WITH_GRADIENT}
    np.savez_compressed(
        HERE / "bert_encoder.npz",
        tokens=tokens.astype(np.int32),
        mask=mask,
        types=types.astype(np.int32),
        grad=grad,
        pooled=result.pooler_output.detach().numpy(),
        **{f"block {number}": states.detach().numpy() for number, states in enumerate(result.hidden_states)},
        **{f"weight {name}": array for name, array in stored.items()},
        **{f"gradient {name}": array for name, array in gradients.items()},
    )


if __name__ == "__main__":
    main()
