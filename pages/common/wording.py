"""Text that somebody else wrote, such as names of columns and runs, shown as it is."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])")


def plain(text: str) -> str:
    """Text that markdown takes literally: no formatting, links, pictures or icons."""
    return _SPECIAL.sub(r"\\\1", text)
