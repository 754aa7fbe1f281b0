"""Dossiers go to a practice portal, and both sides then hold the same."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.sync_side import Side, both_sides, data, practice_portal

CODE = "H51.12-180102-0001"
AT = datetime(2018, 1, 2, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def portal_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("portal")
    with practice_portal(folder) as url:
        yield url


@pytest.fixture
async def side(database_url: str, portal_url: str) -> AsyncIterator[Side]:
    async with both_sides(database_url, portal_url) as found:
        yield found


async def received(side: Side, code: str = CODE, at: datetime = AT, **more: object) -> int:
    return await side.tell(code, "received", at, **data("received", **more))


async def test_a_dossier_and_its_steps_arrive(side: Side) -> None:
    await received(side)
    await side.tell(CODE, "assigned", AT + timedelta(hours=1), officer="CB01", department="Một cửa")
    await side.tell(CODE, "processed", AT + timedelta(hours=2), outcome="approved")

    assert await side.drain() == {"sent": 1}

    held = await side.held(CODE)
    assert held is not None
    assert held["TrangThaiHoSo"] == "9"
    assert held["NgayTiepNhan"] == "20180102083000"
    assert held["NgayKetThucXuLy"] == "20180102103000"
    assert [step["NoiDungXuLy"] for step in held["progress"]] == ["Tiếp nhận hồ sơ", "Phân công xử lý", "Đã xử lý xong"]
    assert [step["NguoiXuLy"] for step in held["progress"]] == ["H51.12", "CB01", "H51.12"]
    await side.agree(CODE)
