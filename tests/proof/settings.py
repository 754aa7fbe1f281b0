"""What `make proof` goes by, from the environment: `MOTCUA_PROOF_*`."""

from __future__ import annotations

import os
from dataclasses import dataclass


def _whole(name: str, default: int) -> int:
    text = os.environ.get(f"MOTCUA_PROOF_{name}") or str(default)
    if not text.isdigit() or int(text) < 1:
        raise SystemExit(f"MOTCUA_PROOF_{name}={text!r}: expected a whole number from 1 on")
    return int(text)


@dataclass(frozen=True)
class ProofSettings:
    """``scale`` divides the 894,541 dossiers of the headline; the others are sizes and bounds of the other parts."""

    scale: int
    dossiers: int
    questions: int
    records: int
    seed: str
    rate: int
    seconds: int
    mutants: int
    register_mutants: int
    mutation_seconds: int

    @staticmethod
    def read() -> ProofSettings:
        return ProofSettings(
            scale=_whole("SCALE", 1),
            dossiers=_whole("DOSSIERS", 10_000),
            questions=_whole("QUESTIONS", 500),
            records=_whole("RECORDS", 2_000),
            seed=os.environ.get("MOTCUA_PROOF_SEED") or "proof",
            rate=_whole("RATE", 200),
            seconds=_whole("SECONDS", 60),
            mutants=_whole("MUTANTS", 15),
            register_mutants=_whole("REGISTER_MUTANTS", 5),
            mutation_seconds=_whole("MUTATION_SECONDS", 1_800),
        )
