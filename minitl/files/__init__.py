"""Files, for any room: writing them whole or not at all (`atomic`, `results`), one process at a time (`locks`), where
minitl keeps its own (`home`) and what comes with it (`bundled`), and looking into HDF5 files (`hdf5`)."""
