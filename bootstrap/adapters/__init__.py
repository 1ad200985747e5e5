"""Thin plugs into engines that labs and clusters already run.

They call the program as a process and read its JSON and exit codes, so that they share neither its Python nor its
dependencies, and import nothing of ours: where an engine wants a single file, it is copied.
"""
