"""Files that are not ours stay as they came, and each says where from and under which licence."""

import hashlib
import tomllib
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

TESTS = Path(__file__).parent
WEB = TESTS.parent / "web"
FONTS = WEB / "fonts"
VENDORED = (FONTS, WEB / "static" / "vendor", TESTS / "vendor")


def listed(folder: Path) -> dict[str, dict[str, str]]:
    manifest = tomllib.loads((folder / "MANIFEST.toml").read_text(encoding="utf-8"))
    return {entry["path"]: entry for entry in manifest["file"]}


@pytest.mark.parametrize(
    "folder", VENDORED, ids=lambda folder: f"{folder.parent.name}-{folder.name}"
)
def test_every_vendored_file_is_the_one_its_manifest_names(folder: Path) -> None:
    for path, entry in listed(folder).items():
        digest = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        assert digest == entry["sha256"], path
        assert entry["source"]
        assert entry["version"]
        assert entry["licence"]


@pytest.mark.parametrize(
    "folder", VENDORED, ids=lambda folder: f"{folder.parent.name}-{folder.name}"
)
def test_no_vendored_file_is_unlisted(folder: Path) -> None:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found - {"MANIFEST.toml", "OFL.txt"} == set(listed(folder))


@pytest.mark.parametrize("path", sorted(FONTS.glob("*.otf")), ids=lambda path: path.stem)
def test_fonts_carry_our_names_only(path: Path) -> None:
    font = TTFont(path)
    names = [str(font["name"].getDebugName(number)) for number in (1, 4, 6)]
    names += [*font["CFF "].cff.fontNames, font["CFF "].cff.topDictIndex[0].FullName]
    assert all(name.startswith("Shaoji") for name in names), names
    assert font["OS/2"].usWeightClass == (700 if "Bold" in path.stem else 400)


@pytest.mark.parametrize("name", ["ShaojiSans-Regular", "ShaojiSans-Bold", "ShaojiSerif-Bold"])
def test_text_fonts_cover_what_a_report_may_say(name: str) -> None:
    covered = TTFont(FONTS / f"{name}.otf").getBestCmap().keys()
    common = [bytes((0xB0 + i // 94, 0xA1 + i % 94)) for i in range(72 * 94)]
    hanzi = "".join(pair.decode("gb2312", errors="ignore") for pair in common)
    assert len(hanzi) == 6763
    marks = "●◆▲‖○✓—…·×℃№㎡〇「」『』《》“”‘’，。；：？！（）①⑩→□■"
    names = "䶮禤仉堃喆祎𫖯"
    assert {char for char in hanzi + marks + names if ord(char) not in covered} == set()


@pytest.mark.parametrize("name", ["ShaojiSans-Regular", "ShaojiSans-Bold"])
def test_sans_covers_names_of_old_registers(name: str) -> None:
    covered = TTFont(FONTS / f"{name}.otf").getBestCmap().keys()
    unified = {char for char in range(0x4E00, 0x9FA6) if char not in covered}
    assert unified == set()
    assert {char for char in "㛃㛄龑" if ord(char) not in covered} == set()
