"""Keras's path to `models.load_model`. Nothing is decided here."""

from .models import load_model

__all__ = ["load_model"]
