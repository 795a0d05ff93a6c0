"""The runtime of the demos, whose runs are short."""

_base_ = "default_runtime.py"

# Three of the twelve test photos in each validation.
custom_hooks = [dict(type="BasicVisualizationHook", interval=dict(val=4, test=1))]
default_hooks = dict(checkpoint=dict(interval=100), logger=dict(interval=20))
