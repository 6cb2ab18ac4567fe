"""The door out: a model as a file that other programs run, or read the weights of.

    model.export("m.onnx")                    ONNX, for ONNX Runtime and others (extra `convert`)
    model.export("m.safetensors")             PyTorch's names and axes, for `module.load_state_dict`
    model.export("m.pt")                      the same as a file of `torch.load` (extra `convert`)

Keras reads what `model.save` writes: "m.keras", "m.h5". Read in this order:

    destinations   the ending of a file decides what is written
    onnx_model     a graph as ONNX's: its calls in order, and what the model's file says about it
    onnx_nodes     the nodes that are written so far, and the order of axes of their results
    onnx_layers    what each layer is in ONNX; its kinds are in `onnx_maps` (convolutions), `onnx_rows` (dense layers,
                   normalizations, embeddings), `onnx_activations`, `onnx_attention` and `onnx_recurrent`
    state_dict     the weights as PyTorch's layers have them; `torch_modules` has those that are other arrays there

Who calls this: `Model.export` and `minitl weights export`.
"""

from .destinations import ENDINGS, export

__all__ = ["ENDINGS", "export"]
