"""The CloudEvents ``source`` of events that nobody but the product may tell."""

from typing import Final

from shared.vocabulary.events import SYSTEM_SOURCE

PAYMENT_PLATFORM_SOURCE: Final = "urn:motcua:payment-platform:"
"""Begins that of what the payment platform told; the gateway follows."""


def is_own_source(source: str) -> bool:
    """Whether the product alone writes events of this ``source``."""
    return source == SYSTEM_SOURCE or source.startswith(PAYMENT_PLATFORM_SOURCE)
