"""A small language model of one's own: train it on a text, load it, let it write.

    from minitl.recipes.language import load, train_language_model, write
    train_language_model("shakespeare.txt", epochs=5, save="model.h5")
    model, tokenizer = load("model.h5")
    print(write(model, tokenizer, "ROMEO:", tokens=300, temperature=0.8))

Reading order: `applications.decoder` (the network), `job` (training), `reading` (what is kept of a text that was read),
`writing`, `loading` (also of the files of llama2.c).
"""

from .job import TrainedLanguageModel, train_language_model
from .loading import load
from .reading import Reader
from .settings import LanguageSettings
from .writing import write, write_each

__all__ = [
    "LanguageSettings",
    "Reader",
    "TrainedLanguageModel",
    "load",
    "train_language_model",
    "write",
    "write_each",
]
