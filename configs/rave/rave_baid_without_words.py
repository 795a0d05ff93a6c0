"""RAVE on BAID, without what these words span: whom a photo shows is no matter of light.

The paper finds tokens around "asian" near its vector. `tools/residual.py read` shows those near
yours.
"""

_base_ = "rave_baid_paired.py"

words = ["asian", "asians", "asia", "chinese", "japanese", "korean", "person", "face"]
model = dict(losses=dict(guidance=dict(residual=dict(remove_words=words))))
