"""`KerasTestCase`: the assertions of Keras's tests, on minitl. Tolerances are Keras's.

An error that Keras expects is one that minitl raises on purpose, in its own words. If these say that minitl does not
have something at all, the case counts as refused.
"""

import contextlib
import json
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from absl.testing import parameterized

from minitl.errors import MinitlError, NotHereError
from minitl.layers import SymbolicTensor
from minitl.losses import Loss
from minitl.models import Model
from minitl.optimizers import SGD


def to_array(x):
    return np.asarray(x)


def uses_gpu():
    return False


uses_tpu = jax_uses_gpu = jax_uses_tpu = tensorflow_uses_gpu = tensorflow_uses_tpu = torch_uses_gpu = uses_gpu


class SumOfOutputs(Loss):
    """The loss of Keras's training check: the sum of the predictions."""

    def forward(self, y_true, y_pred, sample_weight=None):
        self.shape, self.count = y_pred.shape, len(y_pred)
        return float(y_pred.sum())

    def backward(self):
        return np.ones(self.shape, np.float32)


class KerasTestCase(parameterized.TestCase):
    """A test case of Keras."""

    maxDiff = None

    def get_temp_dir(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(lambda: shutil.rmtree(folder))
        return folder

    def convert_to_numpy(self, x):
        return to_array(x)

    def assertAllClose(self, actual, desired, atol=1e-6, rtol=1e-6, tpu_atol=None, tpu_rtol=None, msg=None):
        np.testing.assert_allclose(to_array(actual), to_array(desired), atol=atol, rtol=rtol, err_msg=msg or "")

    def assertNotAllClose(self, x1, x2, atol=1e-6, rtol=1e-6, msg=None):
        try:
            self.assertAllClose(x1, x2, atol, rtol)
        except AssertionError:
            return
        raise AssertionError(f"the two values are close: {x1}")

    def assertAlmostEqual(self, actual, desired, decimal=3, tpu_decimal=None, msg=None):
        np.testing.assert_almost_equal(to_array(actual), to_array(desired), decimal=decimal, err_msg=msg or "")

    def assertAllEqual(self, actual, desired, msg=None):
        np.testing.assert_array_equal(to_array(actual), to_array(desired), err_msg=msg or "")

    def assertLen(self, iterable, expected_len, msg=None):
        self.assertEqual(len(iterable), expected_len, msg)

    def assertSparse(self, x, sparse=True):
        self.assertFalse(sparse)

    assertRagged = assertSparse

    def assertDType(self, x, dtype, msg=None):
        self.assertEqual(np.dtype(getattr(x, "dtype", type(x))).name, dtype, msg)

    def assertFileExists(self, path):
        self.assertTrue(Path(path).is_file(), f"{path} does not exist")

    @contextlib.contextmanager
    def _raises(self, kind, words):
        seen = SimpleNamespace(exception=None)
        try:
            yield seen
        except MinitlError as error:
            seen.exception = error
            if isinstance(error, NotHereError) or "minitl" in str(error):
                raise
        except kind as error:
            seen.exception = error
            if words is not None:
                self.assertRegex(str(error), words)
        else:
            raise AssertionError(f"no error where Keras has one: {words or kind}")

    def assertIsInstance(self, obj, cls, msg=None):
        from . import names

        super().assertIsInstance(obj, SymbolicTensor if cls is names.keras_tensor else getattr(cls, "_kind", cls), msg)

    def assertRaisesRegex(self, kind, words=None, *call, **kwargs):
        if not call:
            return self._raises(kind, words)
        with self._raises(kind, words):
            return call[0](*call[1:], **kwargs)

    def assertRaises(self, kind, *call, **kwargs):
        return self.assertRaisesRegex(kind, None, *call, **kwargs)

    def run_class_serialization_test(self, instance, custom_objects=None):
        """Check that `get_config` is plain data, and that `from_config` makes an equal object of it."""
        config = instance.get_config()
        text = json.dumps(config, sort_keys=True, default=_plain)
        revived = type(instance).from_config(json.loads(text))
        self.assertEqual(json.dumps(revived.get_config(), sort_keys=True, default=_plain), text)
        self.assertEqual(set(dir(instance)), set(dir(revived)))
        return revived

    def run_layer_test(
        self,
        layer_cls,
        init_kwargs,
        input_shape=None,
        input_dtype=None,
        input_sparse=False,
        input_ragged=False,
        input_data=None,
        call_kwargs=None,
        expected_output_shape=None,
        expected_output_dtype=None,
        expected_output_sparse=False,
        expected_output_ragged=False,
        expected_output=None,
        expected_num_trainable_weights=None,
        expected_num_non_trainable_weights=None,
        expected_num_non_trainable_variables=None,
        expected_num_seed_generators=None,
        expected_num_losses=None,
        supports_masking=None,
        expected_mask_shape=None,
        custom_objects=None,
        run_training_check=True,
        run_mixed_precision_check=True,
        assert_built_after_instantiation=False,
        tpu_atol=None,
        tpu_rtol=None,
    ):
        """Check a layer as Keras does: its configuration, its weights, a symbolic call, a call on arrays, and a step of
        training. How many generators of random numbers it has is its own business."""
        from . import names

        make, call_kwargs = lambda: layer_cls(**(init_kwargs or {})), call_kwargs or {}
        if input_sparse or input_ragged:
            names.absent("KerasTensor")._refuse()
        layer = make()
        self.run_class_serialization_test(layer, custom_objects)
        if supports_masking is not None:
            self.assertEqual(layer.supports_masking, supports_masking)
        if input_shape is None and input_data is None:
            return
        if input_data is None:
            rng = np.random.default_rng(0)
            input_data = _mapped(lambda s, t: (rng.random(s) * 3).astype(t), input_shape, input_dtype)
        shapes = input_shape if input_shape is not None else _of_arrays(np.shape, input_data)
        types = _of_arrays(lambda x: np.asarray(x).dtype.name, input_data)

        def check_weights(layer):
            self.assertTrue(layer.built)
            for expected, found in (
                (expected_num_trainable_weights, layer.trainable_weights),
                (expected_num_non_trainable_weights, layer.non_trainable_weights),
            ):
                if expected is not None:
                    self.assertLen(found, expected)

        layer = make()
        layer.build(**shapes) if isinstance(shapes, dict) else layer.build(shapes)
        check_weights(layer)
        inputs = _mapped(names.keras_tensor, shapes, types)
        outputs = (
            (layer := make())(**inputs, **call_kwargs)
            if isinstance(inputs, dict)
            else (layer := make())(inputs, **call_kwargs)
        )
        check_weights(layer)
        self._check_outputs(outputs, expected_output_shape, expected_output_dtype)
        if expected_mask_shape is not None:
            mask = outputs.mask
            self.assertEqual(expected_mask_shape, mask.shape)
        layer = make()
        y = layer(**input_data, **call_kwargs) if isinstance(input_data, dict) else layer(input_data, **call_kwargs)
        self._check_outputs(y, expected_output_shape, expected_output_dtype)
        if expected_output is not None:
            for found, expected in zip(_listed(y), _listed(expected_output)):
                self.assertAllClose(expected, found, msg="Unexpected output value")
        if expected_num_losses is not None:
            self.assertLen(layer.losses, expected_num_losses)
        if run_training_check:
            model = Model(inputs, outputs)
            loss = SumOfOutputs() if len(_listed(outputs)) == 1 else [SumOfOutputs() for _ in _listed(outputs)]
            model.compile(SGD(), loss)
            data = [np.asarray(x) for x in _listed(input_data)]
            model.train_on_batch(data if len(data) > 1 else data[0], y)

    def _check_outputs(self, outputs, shape, dtype):
        """Check the shapes and types of one output or several."""
        outputs = _listed(outputs)
        if shape is not None:
            expected = list(shape) if isinstance(shape, list) or isinstance(shape[0], tuple) else [shape]
            for each, found in zip(expected, outputs, strict=True):
                self.assertEqual(len(each), len(found.shape))
                fits = all(e is None or f is None or e == f for e, f in zip(each, found.shape))
                self.assertTrue(fits, f"output shape {found.shape}, expected {each}")
        if dtype is not None:
            for found in outputs:
                self.assertEqual(np.dtype(found.dtype).name, dtype)


TestCase = KerasTestCase  # under its name in `keras.src.testing.test_case`


def _plain(value):
    """Return data for what JSON does not hold."""
    return (
        value.item() if isinstance(value, np.generic) else value.tolist() if hasattr(value, "tolist") else vars(value)
    )


def _listed(value):
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _is_shape(value):
    return isinstance(value, (list, tuple)) and all(isinstance(each, (int, type(None))) for each in value)


def _mapped(function, shapes, dtypes):
    """Return function(shape, dtype) for one shape, or a list or dict of them."""
    if isinstance(shapes, dict):
        return {
            name.removesuffix("_shape"): _mapped(
                function, shapes[name], dtypes and dtypes.get(name, dtypes.get(name.removesuffix("_shape")))
            )
            for name in shapes
        }
    if _is_shape(shapes):
        return function(tuple(shapes), dtypes or "float32")
    dtypes = dtypes if isinstance(dtypes, (list, tuple)) else [dtypes] * len(shapes)
    return type(shapes)(_mapped(function, *each) for each in zip(shapes, dtypes))


def _of_arrays(function, data):
    if isinstance(data, dict):
        return {f"{name}": function(each) for name, each in data.items()}
    return type(data)(map(function, data)) if isinstance(data, (list, tuple)) else function(data)
