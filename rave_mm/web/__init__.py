"""A local page that enhances photographs in the browser; ``tools/web.py`` serves it."""
