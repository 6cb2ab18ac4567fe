"""The programs for text in PyTorch: `options["network"]` is one of `texts`.

The networks are written as users of PyTorch write them: attention is `scaled_dot_product_attention`, the LSTM is
`nn.LSTM`, the optimizer is `AdamW`.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, gelu, scaled_dot_product_attention, silu

from minitl.applications.bert import MINILM
from minitl.applications.decoder import EPSILON

from .. import networks, texts


class Projections(nn.Module):
    """Attention of all tokens to all tokens, with biases.

    The four linear layers have the names of the parameters of minitl's layer.
    """

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))

    def forward(self, x, mask):
        n, t, d = x.shape
        q, k, v = (part(x).view(n, t, self.heads, -1).transpose(1, 2) for part in (self.query, self.key, self.value))
        y = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
        return self.output(y.transpose(1, 2).reshape(n, t, d))


class Block(nn.Module):
    """A block of BERT."""

    def __init__(self, config):
        super().__init__()
        self.attention = Projections(config.width, config.heads)
        self.attention_norm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.intermediate, self.output = nn.Linear(config.width, config.hidden), nn.Linear(config.hidden, config.width)
        self.output_norm = nn.LayerNorm(config.width, eps=config.epsilon)

    def forward(self, x, mask):
        x = self.attention_norm(self.attention(x, mask) + x)
        return self.output_norm(self.output(gelu(self.intermediate(x))) + x)


class Encoder(nn.Module):
    """MiniLM's encoder, with a dense layer for classes if the model has one."""

    def __init__(self, model, config=MINILM):
        super().__init__()
        width = config.width
        self.word_embeddings = nn.Embedding(config.vocabulary, width)
        self.position_embeddings = nn.Embedding(config.positions, width)
        self.token_type_embeddings = nn.Embedding(config.token_types, width)
        self.embeddings_norm = nn.LayerNorm(width, eps=config.epsilon)
        self.layer = nn.ModuleList([Block(config) for _ in range(config.layers)])
        self.probabilities = None
        if model.layers[-1].name == "probabilities":
            self.probabilities = nn.Linear(width, networks.CLASSES)
        take_weights(self, model, {f"layer_{k}_": f"layer.{k}." for k in range(config.layers)})

    def forward(self, tokens, mask):
        x = self.word_embeddings(tokens) + self.position_embeddings.weight[: tokens.shape[1]]
        x = self.embeddings_norm(x + self.token_type_embeddings.weight[0])
        for block in self.layer:
            x = block(x, mask)
        x = (x * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return x if self.probabilities is None else self.probabilities(x)


class Reader(nn.Module):
    """Tokens -> vectors -> LSTM -> classes."""

    def __init__(self, model):
        super().__init__()
        self.embedding = nn.Embedding(texts.VOCABULARIES["lstm"], texts.UNITS)
        self.lstm = nn.LSTM(texts.UNITS, texts.UNITS, batch_first=True)
        self.probabilities = nn.Linear(texts.UNITS, networks.CLASSES)
        take_weights(self, model)
        ours = model.get_layer("lstm")
        pairs = [("weight_ih_l0", ours.kernel.T), ("weight_hh_l0", ours.recurrent_kernel.T), ("bias_ih_l0", ours.bias)]
        for name, array in [*pairs, ("bias_hh_l0", np.zeros_like(ours.bias))]:
            fill(getattr(self.lstm, name), array)
        self.lstm.bias_hh_l0.requires_grad_(False)  # minitl has one bias, as Keras has

    def forward(self, tokens):
        return self.probabilities(self.lstm(self.embedding(tokens))[0][:, -1])


class CausalAttention(nn.Module):
    """Attention to what came before, with rotated queries and keys, whose heads several queries share."""

    def __init__(self, width, heads, groups):
        super().__init__()
        self.heads, self.groups, of_keys = heads, groups, width // heads * groups
        self.query, self.key = nn.Linear(width, width, bias=False), nn.Linear(width, of_keys, bias=False)
        self.value, self.output = nn.Linear(width, of_keys, bias=False), nn.Linear(width, width, bias=False)

    def forward(self, x, turns):
        n, t, d = x.shape
        q = rotated(self.query(x).view(n, t, self.heads, -1), turns).transpose(1, 2)
        k = rotated(self.key(x).view(n, t, self.groups, -1), turns).transpose(1, 2)
        v = self.value(x).view(n, t, self.groups, -1).transpose(1, 2)
        y = scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self.output(y.transpose(1, 2).reshape(n, t, d))


def rotated(x, turns):
    """Return x (N, T, K, H), its pairs turned by `turns` (T, H/2)."""
    pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns[:, None]).flatten(-2)


class DecoderBlock(nn.Module):
    """A block of the decoder."""

    def __init__(self, width, heads, groups, hidden):
        super().__init__()
        self.attention_norm, self.feed_forward_norm = (nn.RMSNorm(width, eps=EPSILON) for _ in range(2))
        self.attention = CausalAttention(width, heads, groups)
        self.gate, self.up = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, turns):
        x = x + self.attention(self.attention_norm(x), turns)
        y = self.feed_forward_norm(x)
        return x + self.down(silu(self.gate(y)) * self.up(y))


class Writer(nn.Module):
    """The decoder, whose table is used twice."""

    def __init__(self, model):
        super().__init__()
        first = model.get_layer("block1_attention")
        vocabulary, width = model.get_layer("token_embedding").embeddings.shape
        hidden = model.get_layer("block1_gate").units
        self.token_embedding = nn.Embedding(vocabulary, width)
        count = sum(layer.name.endswith("_gate") for layer in model.layers)
        sizes = width, first.num_query_heads, first.num_key_value_heads, hidden
        self.block = nn.ModuleList([DecoderBlock(*sizes) for _ in range(count)])
        self.final_norm = nn.RMSNorm(width, eps=EPSILON)
        angles = first.rotary_base ** (-torch.arange(0, first.head_dim, 2) / first.head_dim)
        angles = torch.arange(texts.LENGTHS["decoder"])[:, None] * angles
        self.turns = torch.polar(torch.ones_like(angles), angles)
        take_weights(self, model, {f"block{k + 1}_": f"block.{k}." for k in range(count)})

    def forward(self, tokens):
        x = self.token_embedding(tokens)
        for block in self.block:
            x = block(x, self.turns)
        return self.final_norm(x) @ self.token_embedding.weight.T


def take_weights(module, model, prefixes=()):
    """Fill the parameters of a module with those of a model of minitl, whose layers have the same names. `prefixes`
    translates the beginnings of names."""
    names = {"gamma": "weight", "scale": "weight", "beta": "bias", "embeddings": "weight", "kernel": "weight"}
    for layer in model.layers:
        path = layer.name
        for prefix in prefixes:
            if path.startswith(prefix):
                path = prefixes[prefix] + path.removeprefix(prefix)
        for name in layer.weight_names if path != "lstm" else ():
            part, _, kind = name.rpartition("_")  # query_kernel of an attention: the linear layer "query"
            array = getattr(layer, name)
            if kind == "kernel":
                # As a matrix (inputs, outputs); an attention's kernels are (D, K, H), its output_kernel (K, V, D).
                shape = (-1, array.shape[-1]) if part == "output" else (len(array), -1)
                array = array.reshape(shape).T
            target = module.get_submodule(f"{path}.{part}" if part else path)
            parameter = getattr(target, names.get(kind, kind))
            fill(parameter, array.reshape(parameter.shape))
            parameter.requires_grad_(layer.trainable)


def fill(parameter, array):
    """Copy an array into a parameter."""
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def inference(options):
    """Return a function that computes the vectors of a batch of texts."""
    model, x = Encoder(texts.encoder()).eval(), inputs("minilm", options["batch"])

    def forward():
        with torch.inference_mode():
            return model(*x).numpy()

    return forward


def training(options):
    """Return a function that runs one training step."""
    network, batch = options["network"], options["batch"]
    ours = texts.trained(network, options["part"])
    model, x = {"minilm": Encoder, "lstm": Reader, "decoder": Writer}[network](ours), inputs(network, batch)
    t = texts.next_tokens(batch).astype(np.int64) if network == "decoder" else networks.labels(batch)
    t = torch.from_numpy(t)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-4, eps=1e-7, weight_decay=0.01)

    def step():
        optimizer.zero_grad()
        loss = cross_entropy(model(*x).flatten(0, -2), t.flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inputs(network, batch):
    """Return what the network takes."""
    tokens = torch.from_numpy(texts.tokens(network, batch))
    return (tokens, torch.from_numpy(texts.mask(batch))) if network == "minilm" else (tokens,)
