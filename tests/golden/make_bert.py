"""Make `bert.npz`: a small BERT of Hugging Face's transformers, its names, weights and outputs.

    python tests/golden/make_bert.py

It needs the extra `peers`. Every weight is drawn, biases and norms too: with those of an untrained network, zeros and
ones, a confusion of two of them would not show.
"""

from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import BertConfig, BertForPreTraining

SIZES = {"vocab_size": 11, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3,
         "intermediate_size": 20, "max_position_embeddings": 7}  # fmt: skip
TOKENS = [[3, 10, 1, 7, 2], [5, 4, 0, 0, 0]]  # (N, T) = (2, 5); the second text has two tokens and three of padding


def main():
    """Draw the weights, run the network on two texts, and write the arrays beside this script."""
    torch.set_num_threads(1)
    network = BertForPreTraining(BertConfig(**SIZES, attn_implementation="eager")).eval()
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.tensor(rng.normal(0, 0.5, tuple(parameter.shape)).astype("float32")))
        tokens = torch.tensor(TOKENS)
        types = torch.tensor([[0, 0, 0, 1, 1], [0, 1, 0, 0, 0]])
        output = network.bert(input_ids=tokens, token_type_ids=types, attention_mask=(tokens > 0).long())
    arrays = {f"weights/{name}": tensor.numpy() for name, tensor in network.state_dict().items()}
    np.savez_compressed(
        Path(__file__).parent / "bert.npz",
        **arrays,
        tokens=tokens.numpy(),
        types=types.numpy(),
        hidden=output.last_hidden_state.numpy(),
        pooled=output.pooler_output.numpy(),
        versions=[f"{each.__name__} {each.__version__}" for each in (torch, transformers, np)],
    )


if __name__ == "__main__":
    main()
