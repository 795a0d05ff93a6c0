"""Does the vector matter, or would a random one do?"""

_base_ = ["../rave_demo_paper_network.py", "../../_base_/grids/random_vector.py"]
