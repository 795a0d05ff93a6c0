"""RAVE on BAID as a pure-Python config: what `rave/rave_baid_paired.py` says."""

from mmengine.config import read_base

with read_base():
    from .._base_.datasets.baid import *
    from .._base_.default_runtime import *
    from .._base_.models.rave import *
    from .._base_.schedules.rave import *

residual = dict(well_lit=train_well_lit, backlit=train_backlit)
model["losses"]["guidance"].update(residual=residual)
