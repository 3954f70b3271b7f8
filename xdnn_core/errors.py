"""Errors that a user can cause and can mend."""

from __future__ import annotations


class UserError(ValueError):
    """One sentence: what was given, what is allowed, what to do.

    Commands print it and pages show it; every other exception is a mistake of ours and is
    left to be seen.
    """
