"""Every map to portal codes is total: nothing of ours can reach the wire as an empty code by oversight."""

from services.mock_portal.protocol import codes
from shared.dossiers.rules.lifecycle import PROGRESS_BEARING
from shared.sync.portal.answers import ITEM_KINDS, VERDICTS, Verdict
from shared.sync.portal.wire import STEP_TEXTS
from shared.sync.rules.outcomes import ItemKind
from shared.sync.rules.portal_codes import (
    APPLICANT_KIND_CODES,
    CHANNEL_CODES,
    PAYMENT_CODES,
    RETURN_METHOD_CODES,
    STATUS_CODES,
    UNRECEIVED_STATUSES,
    ApplicantKind,
    Gateway,
    ReturnMethod,
)
from shared.sync.rules.retry import RETRY_TABLE, ErrorClass
from shared.vocabulary.events import Channel, EventName, Status


def test_the_tables_are_total_and_in_the_portals_lists() -> None:
    assert set(STATUS_CODES) == set(Status)
    assert set(STATUS_CODES.values()) == set(codes.STATUSES)
    assert set(CHANNEL_CODES) == set(Channel)
    assert set(CHANNEL_CODES.values()) == set(codes.CHANNELS)
    assert set(APPLICANT_KIND_CODES) == set(ApplicantKind)
    assert set(APPLICANT_KIND_CODES.values()) == set(codes.OWNER_KINDS)
    assert set(RETURN_METHOD_CODES) == set(ReturnMethod)
    assert set(RETURN_METHOD_CODES.values()) == set(codes.RETURN_METHODS)
    assert set(PAYMENT_CODES) == set(Gateway)
    assert set(PAYMENT_CODES.values()) <= set(codes.ONLINE_PAYMENTS)
    assert {STATUS_CODES[status] for status in UNRECEIVED_STATUSES} == codes.STATUSES_WITHOUT_RECEIPT


def test_each_code_is_the_protocols() -> None:
    """Portal protocol, 4.4 and 11.4, written out once more: a wrong code is taken by the portal like a right one."""
    assert {channel.value: code for channel, code in CHANNEL_CODES.items()} == {"direct": "1", "online": "2", "postal": "3"}
    kinds = {"citizen": "1", "business": "2", "agency": "3", "organisation": "4"}
    assert {kind.value: code for kind, code in APPLICANT_KIND_CODES.items()} == kinds
    methods = {"direct": "0", "online": "0", "postal": "1"}
    assert {method.value: code for method, code in RETURN_METHOD_CODES.items()} == methods
    assert {gateway.value: code for gateway, code in PAYMENT_CODES.items()} == {
        "national": "1",
        "local": "2",
        "counter": "0",
    }
    assert {status.value: code for status, code in STATUS_CODES.items()} == {number: str(number) for number in range(1, 11)}


def test_every_step_has_its_text_and_only_those() -> None:
    assert set(STEP_TEXTS) == set(PROGRESS_BEARING)
    assert EventName.OVERDUE not in STEP_TEXTS
    assert all(STEP_TEXTS.values())


def test_every_failure_has_its_rule_and_every_verdict_its_meaning() -> None:
    assert set(RETRY_TABLE) == set(ErrorClass)
    assert set(ITEM_KINDS.values()) == set(ItemKind)
    assert set(VERDICTS.values()) == set(Verdict) - {Verdict.UNKNOWN}
    assert {code.value for code in codes.ErrorCode} <= set(VERDICTS)
