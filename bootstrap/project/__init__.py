"""What is asked for: pyproject.toml, requirements files, pip's configuration."""
