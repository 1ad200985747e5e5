"""From files of an index, folders and repositories to wheels that are in the store."""
