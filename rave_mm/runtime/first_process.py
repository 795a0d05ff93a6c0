"""What one of several processes does first."""

from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.dist import barrier, get_rank


@contextmanager
def first_process_first() -> Iterator[None]:
    """One process fetches and computes what is within, then the others, which find its files."""
    if get_rank() != 0:
        barrier()
    try:
        yield
    finally:  # the others must not wait for one that failed
        if get_rank() == 0:
            barrier()
