"""What exists: simple pages, metadata, the one HTTP client, its cache."""
