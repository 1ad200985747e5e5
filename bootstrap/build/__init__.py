"""Source distributions and editables (PEP 517, PEP 660)."""
