"""Files from strangers: a weight file is opened as if somebody had made it to do harm.

Reading order: `opening` (a known file is read directly, an unknown one through a child process), `known_files` (the
memory of known content), `child_process` (the program that parses an unknown file).

Each threat that a weight file may carry, and the function that guards against it. The tests in tests/files (most of
them in test_hostile_files.py) carry out each threat but a long configuration.

Code
    a pickle that runs code (.pth)            `torch_file.list_torch`: `torch.load(weights_only=True)`, in the child
    a Lambda layer in a .keras architecture   `keras_archive._layer_names` takes only the names of the layers
    an unknown class in a saved model         `graph.architecture.build`: minitl's layers and `custom_objects` only
    an unknown HDF5 filter (a plug-in)        `keras_h5.stored_tensor` refuses all filters but `hdf5.FILTERS`
Other files
    a soft or external link in HDF5           `hdf5.member` and `hdf5.groups_below` follow hard links only
    external or virtual data in HDF5          `keras_h5.stored_tensor` refuses it
    external data in ONNX                     `onnx_file._tensor` refuses it
    a path out of the folder in a zip         `keras_archive.list_archive` refuses it; nothing is unpacked into a folder
Too much of something
    a zip bomb                                `keras_archive._read` stops at a limit, whatever size the archive states
    arrays that unpack to too much            `child_process.Copy.fits`: at most 10 times the file, or 256 MB
    a shape of petabytes                      `keras_h5.stored_tensor` and `Listing.from_data`: an array lies within its
                                              file; `loading._differences` compares shapes before any array is made
    a device or a pipe                        `open_weights` opens ordinary files only
    a long header, text or configuration      `MOST_HEADER`, `MOST_TEXT`, `MOST_CONFIG` in `formats`
    circles, groups too deep or too many      `hdf5.groups_below`; `MOST_CALLS` in `graph.architecture` for layers
    JSON nested too deep                      the readers catch RecursionError; so does `loading.ledger_in`
    a parser that runs for ever               `child_process.limit_memory_and_time`, and the time-out in
                                              `opening._ask_child`: 60 s, 15 s of a processor's time (PyTorch's files:
                                              60 s), and of both 1 s more for each 20 MB
    a parser that takes all memory            `child_process.limit_memory_and_time` (not on Windows and macOS)
    a parser that crashes (libhdf5)           `opening._ask_child`: only the child process ends, with an UnsafeFileError
False statements
    a false answer of an exploited child      `Listing.from_data` and `opening._error` check every type and offset
    sizes, overlaps and holes that lie        `safetensors_file.list_safetensors`, `onnx_file._tensor`,
                                              `llama2c_file.read_llama2c`
    two tensors with one name                 `keras_h5._legacy`, `safetensors_file._no_name_twice`, `naming.places`
    text or integers in place of weights      `loading._differences` and `StoredFile.read` accept `FLOATS` only
    a name that writes to the terminal        `terminal.printable` for results, `cli.main` for errors: such characters
                                              are shown as escapes or "?"; `Listing.from_data` refuses what is no text
Wrong numbers
    NaN or infinity                           `loading._check_finite`
    an array that was altered                 `loading.load_from`, by the digests in the file's ledger;
                                              `keras_h5._texts`, by the digest of the ledger itself
    other weights under a published name      `catalogue.check`, by the published digest
    another vocabulary beside the weights     `catalogue.check`, by its digest
    a file that changes while it is read      `opening._opened` and `StoredFile.check_unchanged`
    a damaged memory of known files           `known_files._load` leaves out entries whose checksum is wrong
    a bad download                            `download.HttpsOnly`, the md5 sum in `download.download`, the digest of
                                              the wheel and its files in `packages.files_of`

Three limits remain. The child process is limited in time and memory, but it has the rights of the user: a file that
takes over the process is not confined. A ledger recognizes damage, not forgery: whoever makes a file can write fitting
digests into it. And a file without a ledger whose digest nobody has published may hold any finite numbers.
"""
