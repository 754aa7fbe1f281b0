"""What can go wrong with a local run, each with the paragraph a person reads.

LocalRunError
├── FolderError    the data folder cannot be used
├── PortError      a port is taken
├── SettingError   settings that do not go together
└── ProgramError   a program did not start, or does not stay up
"""


class LocalRunError(Exception):
    """One paragraph: what was tried, what stands in the way, which setting to change."""


class FolderError(LocalRunError):
    """The data folder cannot be used: unreadable, foreign, in use, or full."""


class PortError(LocalRunError):
    """A port that is asked for is taken."""


class SettingError(LocalRunError):
    """Settings that do not go together."""


class ProgramError(LocalRunError):
    """A program did not start, or does not stay up."""
