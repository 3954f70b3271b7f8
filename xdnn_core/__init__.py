"""Attributions that can be trusted, on networks for which one gradient is enough.

The public names are in __init__.pyi; each is imported when it is first used, so that a page can
draw its photographs before torch is there.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
