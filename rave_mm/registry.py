"""Makes MMEngine know this package, so that a config can say `_base_ = "rave_mm::rave/..."`.

MMEngine finds the configs of a package by a list of packages, and builds what is in them with the
registries of the scope `rave_mm`, for which it imports this module by its name. The list is read
while a config is parsed: a program of one's own imports `rave_mm.registry` before
`Config.fromfile`, as this package's tools do. MMEngine looks in the folder `.mim` of the package,
which an install makes: in a clone that is not installed, name bases by their paths. The registries
are empty children of MMagic's, where the components are.
"""

from mmagic import registry as mmagic_registry
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

# MMEngine takes the folder of an installed distribution for the package's folder, which it is not
# in an editable install. A module's name makes it ask for that module's file instead.
MODULE2PACKAGE["rave_mm"] = "rave_mm.registry"

for _name in mmagic_registry.__all__:
    _parent: Registry = getattr(mmagic_registry, _name)
    Registry(
        _parent.name,
        parent=_parent,
        scope="rave_mm",
        # A registry imports its own locations before it asks its parent, but not its parent's.
        locations=["rave_mm.register", *_parent._locations],
    )
