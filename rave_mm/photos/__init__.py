"""Photograph files: found in folders, read, and written with all that they hold."""

import pyvips

# libvips' warnings would call Python's logging from within libvips. If Python then collects garbage
# and lets go of other images, libvips crashes; what matters is raised as an error anyway.
pyvips._remove_log_handler()
# It keeps the results of operations in case they are wanted again: photographs are not, and a file
# may have changed by then.
pyvips.cache_set_max(0)
