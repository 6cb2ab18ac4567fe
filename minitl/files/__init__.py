"""Files, for all packages above this one.

atomic    writes a file completely or not at all
results   writes results as JSON, and checks beforehand that a path can be written
locks     lets one process at a time work on a file
home      the folder for what minitl has downloaded and computed
bundled   the files that come with minitl
hdf5      reads HDF5 files that are not trusted
"""
