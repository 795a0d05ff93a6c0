"""What `tools/benchmark.py` measures, each measurement in a process of its own."""
