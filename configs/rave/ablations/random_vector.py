"""Does the vector matter, or would a random one do?"""

_base_ = ["../rave_baid_paired.py", "../../_base_/grids/random_vector.py"]
