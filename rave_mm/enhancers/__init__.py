"""What training and testing run: a network, its losses, and whose turn it is to learn."""

from rave_mm.runtime import compat

compat.apply()  # a config may name a class of this room before rave_mm.register was imported
