"""`shaoji photos alike` prints what was handed in twice, and nobody's name."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import ImageOps

from tests.conftest import Street, photo
from tests.engine.test_alike_photos import kept, made
from tests.pictures import jpeg, scene
from tests.web.test_cli import told
from web.cli import main

Run = Callable[..., Result]


@pytest.fixture
def run(web_street: Street, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    url = web_street.database.url.render_as_string(hide_password=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHAOJI_DATABASE_URL", url)
    monkeypatch.setenv("SHAOJI_EVIDENCE_DIR", str(tmp_path / "evidence"))

    def call(*arguments: str) -> Result:
        result = CliRunner().invoke(main, ["photos", "alike", *arguments])
        assert result.exit_code == 0, (result.output, result.exception)
        return result

    return call


def test_files_used_twice_and_look_alikes_are_told_with_case_and_event(
    web_street: Street, run: Run, tmp_path: Path
) -> None:
    after = scene("after")
    one = kept(tmp_path / "evidence", jpeg(after))
    image = kept(tmp_path / "evidence", jpeg(ImageOps.mirror(after), 60))
    first, second, third = made(web_street, one), made(web_street, one), made(web_street, image)
    gone = made(web_street, photo())
    seen = told(run("--json"))
    assert seen["photos"] == 3
    assert seen["same_file"] == [
        {
            "sha256": one.sha256,
            "events": [{"case": place.case, "seq": place.seq} for place in (first, second)],
        }
    ]
    (group,) = seen["alike"]
    assert {file["sha256"] for file in group["files"]} == {one.sha256, image.sha256}
    assert group["pairs"][0]["mirrored"]
    (left,) = seen["left_out"]
    assert left["why"] == "missing"
    assert left["events"] == [{"case": gone.case, "seq": gone.seq}]

    text = run().output
    assert f"同一文件 / same file {one.sha256[:12]}：{first.case} #{first.seq}" in text
    assert f"{third.case} #{third.seq}" in text
    assert "左右相反 / mirrored" in text
    assert "文件不在 / not here" in text
    assert "演示" not in text
    assert told(run("--between-cases", "--json"))["alike"] == seen["alike"]


def test_a_street_without_photos_is_told_so(run: Run) -> None:
    assert told(run("--json")) == {"photos": 0, "same_file": [], "alike": [], "left_out": []}
    assert "0 张照片" in run().output


def test_what_is_alike_within_one_case_is_left_out_when_only_cases_are_asked_about(
    web_street: Street, run: Run, tmp_path: Path
) -> None:
    after = scene("one case")
    data = jpeg(after, 50), jpeg(after, 90)
    given = [kept(tmp_path / "evidence", each) for each in data]
    case = web_street.report()
    web_street.later(minutes=5)
    web_street.complete(case, "prepare#1", "head", {"kind": "wood", "pieces": 3})
    web_street.complete(case, "make#1", "grid", {"what": "拆除"}, evidence=given)
    (group,) = told(run("--json"))["alike"]
    files = {file["sha256"] for file in group["files"]}
    assert files == {hashlib.sha256(each).hexdigest() for each in data}
    assert told(run("--between-cases", "--json"))["alike"] == []
