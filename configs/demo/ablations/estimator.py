"""Which estimator of the residual vector?"""

_base_ = ["../rave_demo_paper_network.py", "../../_base_/grids/estimator.py"]
