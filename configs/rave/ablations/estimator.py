"""Which estimator of the residual vector?"""

_base_ = ["../rave_baid_paired.py", "../../_base_/grids/estimator.py"]
