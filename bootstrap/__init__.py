"""Make it so: from a machine and a project to a verified environment."""

__version__ = "0.1.0"
