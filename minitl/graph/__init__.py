"""Graphs of layers. Reading order: `graph` (forward and backward), `structure`, `order`, `fusion`, `summary`, `digest`,
`architecture` (a graph as data)."""

from .graph import Graph

__all__ = ["Graph"]
