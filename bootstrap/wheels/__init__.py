"""Bytes: download, check, unpack, store."""
