"""One module per command: each drives the layers below and returns what the console shows."""
