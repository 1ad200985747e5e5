"""A report as one HTML page, pure: values in, text out. Nothing here looks at a machine, a clock or a disk."""
