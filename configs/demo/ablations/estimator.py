"""Which estimator of the residual vector?"""

_base_ = ["../rave_demo.py", "../../_base_/grids/estimator.py"]
