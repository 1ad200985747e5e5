"""Pythons of our own: which can be had here, installing one, and what is on this machine."""
