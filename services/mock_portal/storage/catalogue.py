"""The national catalogue this portal knows: procedures, agencies and fields, as its read services give them.

A small built-in one, so that the portal is useful alone; a JSON file of the same shape can replace it:
`{"fields": [[code, name]], "agencies": [[code, name, level]], "procedures": [[code, name, field, days]]}`.
"""

import json
from pathlib import Path
from typing import Any, Final

_BUILT_IN: Final[dict[str, list[list[Any]]]] = {
    "fields": [
        ["G03-GD10", "Giáo dục và Đào tạo thuộc hệ thống giáo dục quốc dân"],
        ["G05-KD02", "Thành lập và hoạt động của doanh nghiệp"],
        ["G10-DD01", "Đất đai"],
        ["G15-HT05", "Hộ tịch"],
        ["G15-CT01", "Chứng thực"],
        ["G17-XD04", "Hoạt động xây dựng"],
    ],
    "agencies": [
        ["000.00.00.H51", "Ủy ban nhân dân tỉnh Sóc Trăng", 1],
        ["000.00.12.H51", "Sở Tư pháp", 2],
        ["000.00.15.H51", "Sở Tài nguyên và Môi trường", 2],
    ],
    "procedures": [
        ["1.001612", "Đăng ký thành lập hộ kinh doanh", "G05-KD02", 3],
        ["1.001193", "Đăng ký khai sinh", "G15-HT05", 1],
        ["1.000894", "Đăng ký kết hôn", "G15-HT05", 1],
        ["1.000656", "Đăng ký khai tử", "G15-HT05", 1],
        ["2.000815", "Chứng thực bản sao từ bản chính", "G15-CT01", 1],
        ["1.004193", "Tách thửa hoặc hợp thửa đất", "G10-DD01", 15],
        ["1.009122", "Cấp giấy phép xây dựng nhà ở riêng lẻ", "G17-XD04", 15],
    ],
}


class Catalogue:
    """The catalogue, with the answers of the read services made from it."""

    def __init__(self, path: Path | None = None, agency: str | None = None) -> None:
        source = _BUILT_IN if path is None else json.loads(path.read_text(encoding="utf-8"))
        self._fields: dict[str, str] = {str(code): str(name) for code, name in source["fields"]}
        self._agencies = [(str(code), str(name), int(level)) for code, name, level in source["agencies"]]
        self._procedures = {
            str(code): (str(name), str(field), int(days)) for code, name, field, days in source["procedures"]
        }
        if agency is not None and agency not in {code for code, _, _ in self._agencies}:
            self._agencies.append((agency, agency, 1))

    def has_procedure(self, code: str) -> bool:
        """Say whether a MaTTHC is listed."""
        return code in self._procedures

    def has_field(self, code: str) -> bool:
        """Say whether a MaLinhVuc is listed."""
        return code in self._fields

    def procedure(self, code: str) -> list[dict[str, Any]]:
        """Answer LayThuTuc: one procedure in full, or nothing."""
        if code not in self._procedures:
            return []
        name, field, days = self._procedures[code]
        times = [{"THOIGIANGIAIQUYET": str(days), "DONVITINH": "Ngày làm việc", "MOTA": "", "PHILEPHI": []}]
        agency_code, agency_name, _ = self._agencies[0]
        return [
            {
                "MATTHC": code,
                "TENTTHC": name,
                "LINHVUCTHUCHIEN": [{"MALINHVUC": field, "TENLINHVUC": self._fields.get(field, "")}],
                "TRINHTUTHUCHIEN": [],
                "CACHTHUCTHUCHIEN": [{"KENH": channel, "THOIGIAN": times} for channel in ("1", "2", "3")],
                "YEUCAU": "",
                "DOITUONGTHUCHIEN": [{"TENDOITUONG": "Công dân Việt Nam"}],
                "MOTADOITUONGTHUCHIEN": "",
                "KETQUATHUCHIEN": [{"MAKETQUA": f"KQ.{code}", "TENKETQUA": f"Kết quả: {name}"}],
                "CANCUPHAPLY": [],
                "COQUANTHUCHIEN": [{"MADONVI": agency_code, "TENDONVI": agency_name}],
                "THANHPHANHOSO": [
                    {
                        "GIAYTO": [
                            {
                                "MAGIAYTO": f"GT.{code}.1",
                                "TENMAUDON": "",
                                "URL": "",
                                "TENGIAYTO": "Tờ khai theo mẫu",
                            },
                        ],
                    },
                ],
                "TRANGTHAI": "1",
            },
        ]

    def procedures(self) -> list[dict[str, str]]:
        """Answer LayDanhSachTTHC."""
        return [{"MATTHC": code, "TENTTHC": name} for code, (name, _, _) in self._procedures.items()]

    def agencies(self) -> list[dict[str, str]]:
        """Answer LayDanhMucCoQuan."""
        return [{"MADONVI": code, "TENDONVI": name, "CAPDONVI": str(level)} for code, name, level in self._agencies]

    def fields(self) -> list[dict[str, str]]:
        """Answer LayDanhMucLinhVuc."""
        return [
            {"MALINHVUC": code, "TENLINHVUC": name, "MANGANH": code.partition("-")[0]} for code, name in self._fields.items()
        ]
