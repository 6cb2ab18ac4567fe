"""Graphs of layers: which layer takes whose output, forward and backward.

Reading order: `graph` (forward and backward), `structure` (one array, a list or a dict), `order` (of the calls, and of
the layers), `fusion` (several calls computed as one), `layer_group`, `summary`, `digest`, `architecture` (a graph as
data).
"""

from .graph import Graph

__all__ = ["Graph"]
