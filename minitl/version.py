"""The version of minitl."""

__version__ = "0.1.0"
