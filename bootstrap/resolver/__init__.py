"""What fits together: version sets, solver, proof, and what drives them."""
