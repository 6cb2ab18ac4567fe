"""Keras's own tests of what minitl offers, run on minitl. `python -m tests.peers.keras_tests` prints the table.

Nothing of them is copied here: they are read from the installed package. `files` says which are run and what is set
aside, `names` what they get for their imports, `case` what their assertions are, `running` how results are counted.
"""
