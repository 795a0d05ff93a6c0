"""The papers' losses, the prompt pairs that some of them teach, and what holds losses together."""

from rave_mm.runtime import compat

compat.apply()  # a config may name a class of this room before rave_mm.register was imported
