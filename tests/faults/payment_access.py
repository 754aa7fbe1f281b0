"""Who the product is at the mock payment platform of a campaign."""

from __future__ import annotations

import json
from pathlib import Path

from shared.payment_platform.protocol.accounts import Account, PaymentAccounts
from shared.settings import Settings


def write_access(path: Path, port: int) -> dict[str, str]:
    """The access file, and the setting that names it; ``port``: where the platform is called."""
    entry = {"url": f"http://127.0.0.1:{port}/api/payment", "partner": "H51-national", "secret": "the campaign's own"}
    path.write_text(json.dumps({"H51": {"national": {**entry, "calls_per_minute": 6000}}}))
    path.chmod(0o600)
    return {"MOTCUA_PAYMENTS_ACCESS_FILE": str(path)}


def account_of(path: Path) -> Account:
    [of_tenant] = PaymentAccounts.of(Settings(payments_access_file=path)).by_tenant.values()
    return of_tenant["national"]
