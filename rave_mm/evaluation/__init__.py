"""Metrics, protocols, and what a test leaves behind.

Import the module that you need: this package itself imports nothing. ``rave_mm.register`` registers
the metrics.
"""
