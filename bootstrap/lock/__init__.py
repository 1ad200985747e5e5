"""What was decided: pylock.toml, read and written."""
