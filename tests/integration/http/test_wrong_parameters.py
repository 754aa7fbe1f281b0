"""A wrong parameter is named as the caller wrote it, with what was expected, in the language of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.counting.rules.figure_definitions import Figure, RatePart
from shared.dossiers.rules.anomalies import AnomalyCode
from tests.support.api import Served, served


@pytest.fixture(scope="module")
async def api(shared_database_url: str, own_redis_url: str) -> AsyncIterator[Served]:
    """One for all tests: they are refused, and nothing is stored."""
    async with served(shared_database_url, own_redis_url) as api:
        yield api


async def errors(api: Served, path: str, **headers: str) -> list[tuple[str, str, str]]:
    answer = await (await api.key()).get(path, headers=headers)
    assert answer.status_code == 422, answer.text
    return [(error["pointer"], error["code"], error["detail"]) for error in answer.json()["errors"]]


async def test_one_of_several_types_is_one_error_with_every_choice(api: Served) -> None:
    for path, pointer, choices in (
        ("/v1/stats/summary/dossiers?period=2024-03&figure=foo", "/figure", [*Figure, *RatePart]),
        ("/v1/stats/anomalies/dossiers?anomaly=foo", "/anomaly", [*AnomalyCode, "any", "all"]),
    ):
        ((logged, code, detail),) = await errors(api, path)
        assert (logged, code) == (pointer, "choice")
        assert all(f"'{choice}'" in detail for choice in choices)
        assert detail.count(" or ") == 1


@pytest.mark.parametrize(
    ("question", "pointer"),
    [
        ("indicator=9.9&part=numerator", "/indicator"),
        ("indicator=1.1&part=numerator", "/indicator"),
        ("indicator=2.1&part=mean", "/part"),
        ("indicator=2.1&part=numerator&unit=none", "/unit"),
        ("indicator=2.2&part=numerator&unit=none", "/part"),
        ("indicator=2.2&part=mean", "/unit"),
    ],
)
async def test_the_wrong_part_of_an_indicator_is_named(api: Served, question: str, pointer: str) -> None:
    assert [error[0] for error in await errors(api, f"/v1/indices/766/dossiers?period=2024-03&{question}")] == [pointer]


@pytest.mark.parametrize(
    ("question", "pointers"),
    [
        ("stats/summary?period=2024&period=2023", ["/period"]),
        ("dossiers?limit=5&agency=H51&limit=5&agency=H51", ["/limit", "/agency"]),
        ("events?after=0&after=1", ["/after"]),
    ],
)
async def test_a_parameter_given_twice_is_refused(api: Served, question: str, pointers: list[str]) -> None:
    assert [error[:2] for error in await errors(api, f"/v1/{question}")] == [(pointer, "repeated") for pointer in pointers]


async def test_received_to_is_not_before_received_from(api: Served) -> None:
    path = "/v1/dossiers?received_from=2024-03-05&received_to=2024-03-0"
    assert [error[:2] for error in await errors(api, f"{path}1")] == [("/received_to", "before_from")]
    assert (await (await api.key()).get(f"{path}5")).status_code == 200


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/v1/stats/summary?period=2024&channel=fax", "phải là một trong 'online', 'direct' hoặc 'postal'"),
        ("/v1/stats/summary", "bắt buộc phải có: cho từ ngày (from) và đến ngày (to), hoặc kỳ (period)"),
        ("/v1/stats/summary?period=soon", "phải là kỳ như"),
        ("/v1/stats/summary?period=9000", "chưa đến"),
        ("/v1/stats/summary?period=2024&as_of=soon", "phải là ngày"),
        ("/v1/stats/summary?period=2024&as_of=9000-01-01", "chưa đến"),
        ("/v1/stats/by/month/dossiers?period=2024&row=soon&figure=open.total", "phải là khóa (key)"),
        ("/v1/indices/766/dossiers?period=2024&indicator=9.9&part=numerator", "phải là một chỉ số"),
        ("/v1/indices/766/dossiers?period=2024&indicator=2.1&part=mean", "phải là phần"),
        ("/v1/stats/summary?period=2024&period=2023", "chỉ được cho một lần"),
        ("/v1/dossiers?received_from=2024-03-05&received_to=2024-03-01", "không được trước ngày bắt đầu"),
    ],
)
async def test_details_are_vietnamese_where_asked(api: Served, path: str, detail: str) -> None:
    logged = await errors(api, path, **{"accept-language": "vi"})
    assert logged[0][2].startswith(detail)
    assert " or " not in logged[0][2]
