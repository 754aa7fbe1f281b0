"""Vietnamese names in the order of the alphabet."""

import random
import unicodedata

import pytest

from shared.catalogue.rules.collation import vietnamese_key

ORDERED = [
    "2 cửa",
    "An toàn thực phẩm",
    "Ăn uống",
    "Ấn phẩm",
    "Công chứng",
    "Dân số",
    "Đất đai",
    "đầu tư",
    "Hộ tịch",
    "ma",
    "mà",
    "mả",
    "mã",
    "má",
    "mạ",
    "Môi trường",
    "Nuôi con nuôi",
    "Xây dựng",
    "Y tế",
]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_stand_in_the_order_of_the_alphabet(form):
    names = [unicodedata.normalize(form, name) for name in ORDERED]
    mixed = random.Random(1).sample(names, len(names))
    assert sorted(mixed, key=vietnamese_key) == names
    assert sorted(mixed) != names
