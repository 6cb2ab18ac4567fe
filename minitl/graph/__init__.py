"""Graphs of layers."""
