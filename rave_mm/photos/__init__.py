"""Photograph files: found in folders, read, and written with all that they hold."""
