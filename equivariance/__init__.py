"""Sweeps that ask whether a convolutional network can tell absolute position, and what removes the leak."""

__version__ = "0.1.0"
