"""Which offer is taken: for this machine, for another, for many."""
