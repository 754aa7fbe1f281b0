"""The names of projections: what ``projection_cursor.projection`` says."""

from typing import Final

DOSSIERS: Final = "dossiers"
"""Dossier rows and the sums of their figures."""
