"""The files for running it on a server: units that name what there is, a backup that is made."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from flask import Flask

from tests.cluster.machines import SBIN
from tests.conftest import ROOT
from tests.web.conftest import app, settings, web_street, web_template
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji
from web.anonymous import QUIET
from web.cli import main
from web.config import read_settings

__all__ = ["app", "founded", "settings", "shaoji", "web_street", "web_template"]  # fixtures
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())
HOME = "/opt/shaoji"


def lines(path: Path) -> list[tuple[str, str]]:
    told = path.read_text(encoding="utf-8").splitlines()
    return [
        (name, value)
        for name, found, value in (line.partition("=") for line in told)
        if found and not name.startswith("#")
    ]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_each_unit_starts_a_program_of_ours_with_options_it_has(unit: Path) -> None:
    for name, value in lines(unit):
        if name == "Documentation":
            assert (ROOT / value.removeprefix(f"file://{HOME}/")).is_file()
        if name != "ExecStart":
            continue
        program, *arguments = value.split()
        if program == f"{HOME}/.venv/bin/shaoji":
            assert isinstance(main, click.Group)
            command = main.commands[arguments[0]]
            command.make_parser(click.Context(command)).parse_args(arguments[1:])
        else:
            script = ROOT / program.removeprefix(f"{HOME}/")
            assert script.stat().st_mode & 0o111


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_takes_each_unit(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    # The programs are not installed where the units look for them: that is all it may complain of.
    for one in UNITS:
        told = one.read_text(encoding="utf-8")
        (tmp_path / one.name).write_text(
            re.sub(rf"^ExecStart={HOME}\S+", "ExecStart=/bin/true", told, flags=re.MULTILINE),
            encoding="utf-8",
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if str(tmp_path) in line] == []


def test_the_settings_file_holds_settings_and_paths_the_pages_may_write_to() -> None:
    told = dict(lines(DEPLOY / "shaoji.env"))
    settings = read_settings(told | {"SHAOJI_SECRET_KEY": "k" * 48})
    assert settings.proxies == 1
    web = dict(lines(DEPLOY / "systemd" / "shaoji-web.service"))
    for name, value in told.items():
        if value.startswith("/"):
            assert value.startswith(web["ReadWritePaths"] + "/"), name
    kept = web["InaccessiblePaths"].removeprefix("-")
    assert kept == str(settings.keys.checkpoint)
    worker = dict(lines(DEPLOY / "systemd" / "shaoji-worker.service"))
    assert "InaccessiblePaths" not in worker


def test_the_nightly_backup_is_one_and_links_to_the_last(founded: Shaoji, tmp_path: Path) -> None:
    founded(*IMPORT)
    founded("worker", "--once")
    program = tmp_path / "program"
    program.write_text(
        f"#!/bin/sh\ncd {tmp_path}\nPYTHONPATH={ROOT} exec {sys.executable} -c "
        "'from web.cli import main; main()' \"$@\"\n",
        encoding="utf-8",
    )
    program.chmod(0o700)
    places = {"BACKUP_TO": str(tmp_path / "data"), "BACKUP_KEYS_TO": str(tmp_path / "safe")}
    for name in dict(lines(DEPLOY / "backup.env")):
        Path(places[name]).mkdir()
    environment = places | {"PROGRAM": str(program), "PATH": "/usr/bin:/bin"}
    for count in (1, 2):
        subprocess.run([DEPLOY / "backup"], env=environment, check=True, capture_output=True)
        made = sorted(Path(places["BACKUP_TO"]).iterdir())
        assert len(made) == count
        founded("restore", str(made[-1]), "--keys", f"{places['BACKUP_KEYS_TO']}/{made[-1].name}",
                "--check")  # fmt: skip
        # The next one has another second in its name.
        while count == 1 and _now() == made[-1].name:
            pass


def _now() -> str:
    done = subprocess.run(["date", "+%Y-%m-%d-%H%M%S"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


# --- several machines -----------------------------------------------------------------------------

NOBODY = re.compile(r"^\s*acl nobody path_beg (.*)$", re.MULTILINE)


@pytest.mark.parametrize("name", ["haproxy.cfg", "haproxy-postgres.cfg"])
def test_haproxy_takes_each_configuration(name: str, tmp_path: Path) -> None:
    program = shutil.which("haproxy", path=SBIN)
    if program is None:
        pytest.skip("haproxy is not installed: run bin/setup --tests")
    done = subprocess.run(
        [program, "-c", "-f", str(DEPLOY / name)],
        env={"SHAOJI_STATS": str(tmp_path / "stats.sock")}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_pages_whose_tries_one_node_counts_are_sent_to_one_node(app: Flask) -> None:
    """Every form for people who are nobody here goes by where it comes from."""
    found = NOBODY.search((DEPLOY / "haproxy.cfg").read_text(encoding="utf-8"))
    assert found
    told = tuple(found[1].split())
    forms = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.partition(".")[0] in QUIET and "POST" in (rule.methods or ())
    }
    assert forms
    assert {rule for rule in forms if not rule.startswith(told)} == set()
