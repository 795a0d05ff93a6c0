"""Data sets of backlit photographs, their transforms, and backlight made by calculation.

Import the module that you need: this package itself imports nothing, so that making
synthetic backlight does not load MMagic. ``rave_mm.register`` registers the data sets
and transforms.
"""
