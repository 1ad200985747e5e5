"""From a project to its lock: what is resolved, for whom, and what is kept."""
