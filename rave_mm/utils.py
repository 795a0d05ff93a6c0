"""What `mmengine.hub.get_model` asks a package for, under the name that it asks for."""


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register every component of this package with MMagic.

    Args:
        init_default_scope: Not used: components are registered with MMagic's own registries.
    """
    import rave_mm.register  # noqa: F401 - imports MMagic, which takes seconds
