"""The files for running it on a server: units that name what there is, a backup that is made."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from flask import Flask
from sqlalchemy.engine import make_url

from engine.database_checks import Durability, check_durability
from tests.cluster.machines import SBIN
from tests.conftest import ROOT
from tests.web.conftest import app, settings, web_street, web_template
from tests.web.test_cli import IMPORT, Shaoji, founded, shaoji
from web.anonymous import QUIET
from web.cli import main
from web.config import read_settings
from web.heartbeat import shared_folders

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
        program, *arguments = value.replace("%i", "8000").split()
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


def compose() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return told


def test_compose_starts_programs_of_ours_with_options_and_settings_there_are() -> None:
    """As far as reading goes: no Docker runs where these tests do."""
    told = compose()
    ours = {name: one for name, one in told["services"].items() if one.get("image") == "shaoji"}
    assert set(ours) == {"init", "web1", "web2", "worker1", "worker2", "witness"}
    assert isinstance(main, click.Group)
    for one in ours.values():
        program, *arguments = one["command"]
        command = main.commands[program]
        command.make_parser(click.Context(command)).parse_args(arguments)
        environment = {k: v for k, v in one["environment"].items() if k.startswith("SHAOJI_")}
        read_settings(environment | {"SHAOJI_SECRET_KEY": "k" * 48})
    assert ours["web1"] == ours["web2"]
    assert ours["web1"]["environment"]["SHAOJI_PROXIES"] == "1"
    for one in told["services"].values():
        assert {entry.partition(":")[0] for entry in one.get("volumes", [])} <= {
            *told["volumes"], "./haproxy.cfg"
        }  # fmt: skip
        assert set(one.get("secrets", [])) <= set(told["secrets"])
        assert set(one.get("depends_on", [])) <= set(told["services"])
    assert (DEPLOY / "haproxy.cfg").is_file()


def test_compose_fits_what_haproxy_and_pgbouncer_are_told() -> None:
    services = compose()["services"]
    balancer = (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8")
    for name in services["haproxy"]["environment"]:
        assert f"presetenv {name} " in balancer
    pool = (DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8")
    (line,) = [line for line in services["pgbouncer"]["build"]["dockerfile_inline"].splitlines()
               if "sed -i" in line]  # fmt: skip
    for wanted, _ in re.findall(r"s/(.*?[^\\])/(.*?[^\\])/", line):
        assert re.search(wanted, pool, re.MULTILINE), wanted
    for url in ("SHAOJI_DATABASE_URL", "SHAOJI_VAULT_URL"):
        where = make_url(services["web1"]["environment"][url])
        assert (where.host, where.port) == ("pgbouncer", 6432)
        assert re.search(rf"^{where.database} = ", pool, re.MULTILINE)


def test_the_image_is_made_of_what_is_there_by_the_lock() -> None:
    told = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    for sources in re.findall(r"^COPY (?!--from)(.*) \S+$", told, re.MULTILINE):
        for one in sources.split():
            assert (ROOT / one).exists(), one
    installed = re.findall(r"pip install (.*)", told)
    assert installed
    assert all("--require-hashes" in one or "--no-index" in one for one in installed)
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", told, re.MULTILINE)
    (arguments,) = re.findall(r"^CMD (.*)$", told, re.MULTILINE)
    program, *options = json.loads(arguments)
    assert json.loads(entry) == [f"{HOME}/.venv/bin/shaoji"]
    assert isinstance(main, click.Group)
    command = main.commands[program]
    command.make_parser(click.Context(command)).parse_args(options)


def test_the_lock_of_the_image_has_what_runs_and_nothing_that_tests() -> None:
    done = subprocess.run([sys.executable, DEPLOY / "runtime-lock", "postgres", "sso", "notify",
                           "telemetry"], capture_output=True, text=True, check=True)  # fmt: skip
    names = set(re.findall(r"^([\w.-]+)(?:\[\w+\])?==", done.stdout, re.MULTILINE))
    assert {
        "flask",
        "waitress",
        "weasyprint",
        "psycopg",
        "psycopg-binary",
        "authlib",
        "opentelemetry-sdk",
    } <= names
    assert not names & {"pytest", "ruff", "mypy", "playwright", "hypothesis", "hatchling"}
    whole = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert all(line in whole for line in done.stdout.splitlines())
    assert done.stdout.count("--hash=sha256:") > len(names)


def test_patroni_is_told_to_copy_before_it_acknowledges() -> None:
    told = yaml.safe_load((DEPLOY / "patroni.yml").read_text(encoding="utf-8"))
    cluster = told["bootstrap"]["dcs"]
    assert cluster["synchronous_mode"] is True
    settings = cluster["postgresql"]["parameters"]
    safe = {name: str(settings[name]) for name in ("fsync", "full_page_writes")}
    safe["synchronous_commit"] = settings["synchronous_commit"]
    assert check_durability(Durability("postgresql", 150_000, safe)).outcome == "holds"
    assert settings["hot_standby_feedback"] == "on"
    balancer = (DEPLOY / "haproxy-postgres.cfg").read_text(encoding="utf-8")
    address, port = told["postgresql"]["connect_address"].split(":")
    rest = told["restapi"]["listen"].split(":")[1]
    assert f"server {told['name']} {address}:{port} check port {rest}" in balancer
    for name in ("shaoji", "shaoji_replica"):
        pool = (DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8")
        (where,) = re.findall(rf"^{name} = host=(\S+) port=(\d+)", pool, re.MULTILINE)
        assert f"bind {':'.join(where)}" in balancer


def test_every_node_of_a_cluster_has_settings_that_can_be_read_and_share_folders() -> None:
    told = dict(lines(DEPLOY / "cluster.env"))
    settings = read_settings({k: v for k, v in told.items() if k.startswith("SHAOJI_")})
    unit = dict(lines(DEPLOY / "systemd" / "shaoji-web@.service"))
    shared = unit["RequiresMountsFor"]
    for folder in shared_folders(settings).values():
        assert folder.is_relative_to(shared)
    assert unit["InaccessiblePaths"].removeprefix("-") == str(settings.keys.checkpoint)
    pool = (DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8")
    for url in (settings.database_url, settings.vault[0], settings.replica_url):
        assert re.search(rf"^{make_url(url).database} = ", pool, re.MULTILINE)
