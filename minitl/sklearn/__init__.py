"""The door to scikit-learn: estimators that take paths or arrays of images. This needs the extra `sklearn`.

    from sklearn.model_selection import cross_val_score
    from minitl.sklearn import TransferClassifier
    cross_val_score(TransferClassifier(), paths, labels)

    inputs        paths or arrays -> a source of examples, as `minitl.data` has them
    estimators    TransferClassifier and TransferFeatures: the steps of the recipe for photographs

Nothing is decided here: the base, the choice of a head and its training are those of `minitl.recipes`. (Within this
package, `import sklearn` means scikit-learn: all imports of minitl's own modules are relative.)
"""

from ..errors import MissingExtraError

try:
    from sklearn.utils.validation import validate_data  # noqa: F401 (version 1.6 has it)
except ImportError as error:
    raise MissingExtraError(
        f"minitl.sklearn needs scikit-learn 1.6 or newer (the extra 'sklearn'; {error}): "
        "python -m pip install 'scikit-learn>=1.6'"
    ) from None

from .estimators import TransferClassifier, TransferFeatures

__all__ = ["TransferClassifier", "TransferFeatures"]
