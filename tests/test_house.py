"""Rules of the house no linter knows: what is installed, what the tree says, how set-up ends."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
ROOMS = ("audit", "engine", "web", "workflows")
SCRIPTS = ("bin/setup", "bin/demo", "bin/test", "bin/lock", ".ci/run")


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: no list of the files that belong to it")
    # An ordinary user may test root's checkout.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = (re.match(r"([\w.-]+)==([^\s;]+)", line) for line in lines)
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}


def required() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(text) for text in sum(extras, project["dependencies"])]
    return [one for one in wanted if one.name != project["name"]]


@pytest.mark.parametrize("room", ROOMS)
def test_no_other_distribution_owns_our_package_names(room: str) -> None:
    assert set(packages_distributions().get(room, ())) <= {"shaoji"}
    assert room not in sys.stdlib_module_names


def test_the_lock_meets_what_the_project_requires() -> None:
    pins = locked()
    unmet = [
        str(one)
        for one in required()
        if not one.specifier.contains(pins.get(canonicalize_name(one.name), "0"))
    ]
    assert not unmet, f"run bin/lock: {unmet}"


def test_what_runs_here_is_what_is_locked() -> None:
    pins = locked()
    here = {one.name: distribution(one.name).version for one in required()}
    drifted = {name: is_ for name, is_ in here.items() if pins[canonicalize_name(name)] != is_}
    assert not drifted, f"run bin/setup: {drifted}"


def test_every_locked_file_has_its_hash_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^-", text, re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.partition("\n")[2])
    assert all("--hash=sha256:" in entry for entry in entries)


# Where packages come from is the business of the machine that installs them.
TOLD = (
    r"^--(extra-)?index-url",
    r"(index-url|find-links|INDEX_URL|FIND_LINKS)[ =]+[\"']?(https?|file):",
    r"\"resolved\":\s*\"http",
    r"registry\s*=\s*\"?http",
    r"://[^/\s]+/(pypi/)?simple\b",
    r"(?<![\w.])/(work|farm|root/\.\w+|opt/pypi|opt/wheels)/",
)


def test_no_file_names_a_package_index_or_a_developers_machine(tracked: list[Path]) -> None:
    told = re.compile("|".join(TOLD).encode())
    ours = (path for path in tracked if path != Path(__file__) and "vendor" not in path.parts)
    found = [
        f"{path.relative_to(ROOT)}: {line.decode(errors='replace').strip()[:100]}"
        for path in ours
        for line in path.read_bytes().splitlines()
        if b"\0" not in line and told.search(line)
    ]
    assert not found


def test_the_wheel_carries_every_file_of_the_four_rooms(
    tracked: list[Path], tmp_path: Path
) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    names = {path.relative_to(ROOT).as_posix() for path in tracked}
    assert {name for name in names if name.split("/")[0] in ROOMS} <= packed
    foreign = {name for name in packed if name.split("/")[0] not in ROOMS}
    assert all(name.startswith("shaoji-") for name in foreign), foreign


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_executable_and_plain_posix_shell(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    assert path.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(path)], check=True)


def command(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A checkout on a machine without Pango, for a user without rights."""
    (tmp_path / "bin").mkdir()
    shutil.copy(ROOT / "bin" / "setup", tmp_path / "bin")
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    command(fakes, "id", "echo 1000")
    command(fakes, "uname", "echo Linux")
    command(fakes, "sudo", "exit 1")
    command(fakes, "apt-get", f"touch {tmp_path}/apt-was-run")
    command(fakes, "python3", f'case "$*" in *CDLL*) exit 1;; *) exec {sys.executable} "$@";; esac')
    return tmp_path


def run_setup(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'fakes'}:/usr/bin:/bin"
    return subprocess.run(
        [str(folder / "bin" / "setup"), *arguments],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_without_root_says_what_is_missing_and_changes_nothing(elsewhere: Path) -> None:
    before = sorted(elsewhere.rglob("*"))
    refused = run_setup(elsewhere)
    assert refused.returncode == 1
    assert (
        "apt-get install --no-install-recommends"
        " libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0\n" in refused.stderr
    )
    assert sorted(elsewhere.rglob("*")) == before


def test_setup_without_apt_names_the_libraries(elsewhere: Path) -> None:
    for tool in ("dirname", "cat", "sed", "sh"):
        (elsewhere / "fakes" / tool).symlink_to(shutil.which(tool) or tool)
    (elsewhere / "fakes" / "apt-get").unlink()
    refused = subprocess.run(
        ["/bin/sh", str(elsewhere / "bin" / "setup")],
        env={"PATH": str(elsewhere / "fakes")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "no apt" in refused.stderr
    assert "libpango-1.0-0" in refused.stderr


def test_setup_refuses_an_old_python(elsewhere: Path) -> None:
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11"):
        command(elsewhere / "fakes", name, '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    refused = run_setup(elsewhere)
    assert refused.returncode == 1
    assert "3.11 or newer" in refused.stderr
    assert not (elsewhere / ".venv").exists()


def test_setup_explains_itself_when_asked_wrongly(elsewhere: Path) -> None:
    asked = run_setup(elsewhere, "--help")
    assert asked.returncode == 2
    assert "bin/setup --tests" in asked.stderr


def test_the_stylesheet_closes_every_block_before_the_next_heading() -> None:
    """A block left open would take all rules below it for its own, and no page would say so."""
    depth = 0
    for line in (ROOT / "web/static/shaoji.css").read_text(encoding="utf-8").splitlines():
        assert depth == 0 or not line.startswith(("/* ---", "@media")), line
        told = re.sub(r"/\*.*?\*/", "", line)
        depth += told.count("{") - told.count("}")
    assert depth == 0
