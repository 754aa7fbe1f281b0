"""How much is measured: `MOTCUA_BENCH=quick|default|full`. `full` is what the targets speak of; the others are samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one setting."""

    name: str
    rounds: int
    """Measured alternately with their peers; the median of the ratios counts."""
    seconds: float
    """Of one round of one load."""
    import_events: int
    """Of the import of lines, and of its peer COPY."""
    dossiers: int
    """Of the big database that reads, the projection and the rebuild are measured on; about eight events each."""
    small_dossiers: int
    """Of the small one: reads must not be much faster on it."""
    reads: int
    """Of each question."""
    latency_seconds: float
    synced_dossiers: int
    soak_seconds: float
    process_counts: tuple[int, ...]


SETTINGS = {
    sizes.name: sizes
    for sizes in (
        Sizes("quick", 1, 2.0, 40_000, 4_000, 400, 150, 4.0, 400, 10.0, (1, 2)),
        Sizes("default", 3, 4.0, 400_000, 60_000, 6_000, 400, 15.0, 3_000, 90.0, (1, 2, 4)),
        Sizes("full", 5, 10.0, 2_700_000, 1_000_000, 100_000, 2_000, 60.0, 20_000, 1_200.0, (1, 2, 4)),
    )
}
