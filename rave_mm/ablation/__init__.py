"""Ablations: a grid of settings over one config, and what its runs found."""
