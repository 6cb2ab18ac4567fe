"""The formats of weight files. Reading order: `stored_file` (what every reader returns), `keras_h5` (Keras's two HDF5
layouts), `keras_archive`, `safetensors_file`, `onnx_file`, `torch_file`."""
