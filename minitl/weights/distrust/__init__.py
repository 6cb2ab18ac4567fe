"""Files from strangers. Reading order: `opening` (by ourselves where the content is known, else by way of a child
process), `known_files`, `child_process`."""
