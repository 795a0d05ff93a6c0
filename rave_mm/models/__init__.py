"""Networks, losses and models that register in ``mmagic.registry.MODELS``."""
