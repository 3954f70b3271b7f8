"""Errors that a user can cause and can mend."""

from __future__ import annotations


class UserError(ValueError):
    """One sentence: what was given, what is allowed, what to do.

    Commands print it and pages show it; every other exception is a mistake of ours and is
    left to be seen.

    Examples
    --------
    >>> from xdnn_core import load_model
    >>> load_model("nothing")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    xdnn_core.errors.UserError: ...
    """
