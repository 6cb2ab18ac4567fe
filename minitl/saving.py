"""Keras's import path of `models.load_model`."""

from .models import load_model

__all__ = ["load_model"]
