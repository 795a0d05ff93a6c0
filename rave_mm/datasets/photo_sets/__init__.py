"""Photograph sets for training and testing: made from packages of pip and Debian, or brought."""


class PreparationError(RuntimeError):
    """A set cannot be made, or is not fit for use; the message says what to do."""
