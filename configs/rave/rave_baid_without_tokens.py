"""RAVE on BAID, a bias taken out of the residual vector as the paper does (section 4.1).

Of what the 15 vocabulary tokens at either end of the vector have in common.
"""

_base_ = "rave_baid_paired.py"

model = dict(losses=dict(guidance=dict(residual=dict(remove_tokens=15))))
