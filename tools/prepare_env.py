# SPDX-FileCopyrightText: 2026 lightmatch_ros developers
# SPDX-License-Identifier: Apache-2.0
"""Prepares .venv: ROS 2 and torch from pinned wheels, lightmatch_msgs built, this package installed editable.

Runs on the system's Python with the standard library alone; it is not part of the package. Does nothing where
the environment is ready, which a stamp in it tells. pip's own settings apply (PIP_INDEX_URL and the like).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MESSAGES = ROOT / "lightmatch_msgs"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = "core,ros,build,test"
# Oldest and newest version that the pinned wheels were tried with.
OLDEST, NEWEST = (3, 11), (3, 13)
CXX_COMPILERS = ("c++", "g++", "clang++")
C_COMPILERS = ("cc", "gcc", "clang")
BUILD_PROGRAMS = ("make", "ninja")
# Set by a sourced distribution or by the wheels' bootstrapper for another environment.
FOREIGN_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "COLCON_PREFIX_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE")
# The message wheels name two folders of the machine that built them; CMake stops at folders that do not exist.
PYTHON_INCLUDE = re.compile(r"/opt/python/[^;\"]*?/include/python3\.\d+")
NUMPY_INCLUDE = re.compile(r"/opt/python/[^;\"]*?/site-packages/numpy/_?core/include")
ASK_INCLUDES = "import sysconfig, numpy; print(sysconfig.get_path('include')); print(numpy.get_include())"
LOG_TAIL_LINES = 20


class PrepareError(Exception):
    """Something is missing or failed; the message is one line that names it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepares the environment; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="the environment (default: .venv)")
    venv = parser.parse_args(arguments).venv.resolve()
    try:
        prepare(venv)
    except PrepareError as error:
        print(f"prepare_env: error: {error}", file=sys.stderr)
        return 1
    return 0


def prepare(venv: Path) -> None:
    """Brings the environment up to date.

    Raises:
        PrepareError: a requirement is missing, or a step failed.
    """
    check_python(sys.version_info[:2])  # first: the stamp knows nothing of the Python that runs this
    wanted = stamp(venv)
    stamp_file = venv / "lightmatch_ros.stamp"
    found = stamp_file.read_text() if stamp_file.is_file() else ""
    if found == wanted:
        return
    check_modules()
    check_programs()
    stamp_file.unlink(missing_ok=True)
    moved = bool(found) and found.splitlines()[0] != wanted.splitlines()[0]
    if moved or not usable(venv):
        with step(f"create {venv.name} with Python {sys.version_info[0]}.{sys.version_info[1]}"):
            run([sys.executable, "-m", "venv", "--clear", venv])
    with step("install the pinned wheels and this package"):
        install(venv)
    with step("correct include paths in the message wheels"):
        correct_include_paths(venv)
    with step("build lightmatch_msgs"):
        build_messages(venv)
    stamp_file.write_text(wanted)


def stamp(venv: Path) -> str:
    """Returns what a ready environment's stamp file says: where and for which Python, then a hash of the inputs."""
    inputs = [CONSTRAINTS, ROOT / "setup.py", ROOT / "setup.cfg", Path(__file__).resolve()]
    inputs += [path for path in sorted(MESSAGES.rglob("*")) if path.is_file()]
    digest = hashlib.sha256()
    for path in inputs:
        digest.update(f"{path.relative_to(ROOT).as_posix()}\0".encode() + path.read_bytes())
    return f"{venv} {sys.version_info[0]}.{sys.version_info[1]}\n{digest.hexdigest()}\n"


def check_python(version: tuple[int, ...]) -> None:
    """Raises PrepareError unless wheels were tried with this version of Python."""
    if not OLDEST <= version <= NEWEST:
        seen, oldest, newest = (".".join(map(str, v)) for v in (version, OLDEST, NEWEST))
        raise PrepareError(
            f"Python {seen} is not supported, wanted {oldest} to {newest}; make env PYTHON=python{newest}"
        )


def check_modules(
    find: Callable[[str], object] = importlib.util.find_spec, include: str = sysconfig.get_path("include")
) -> None:
    """Raises PrepareError unless this Python can make virtual environments and build extensions."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for module in ("venv", "ensurepip"):
        if find(module) is None:
            raise PrepareError(f"{sys.executable} lacks the module {module}; install {name}-venv")
    header = Path(include, "Python.h")
    if not header.is_file():
        raise PrepareError(f"{header} is missing; install {name}-dev")


def check_programs(environment: Mapping[str, str] = os.environ) -> None:
    """Raises PrepareError unless C and C++ compilers and a build program are on the path."""
    wanted = (
        ("C++ compiler", environment.get("CXX"), CXX_COMPILERS),
        ("C compiler", environment.get("CC"), C_COMPILERS),
        ("build program", None, BUILD_PROGRAMS),
    )
    for what, chosen, usual in wanted:
        names = (chosen.split()[0],) if chosen else usual
        if not any(shutil.which(name, path=environment.get("PATH", "")) for name in names):
            raise PrepareError(f"no {what} found, looked for {', '.join(names)}; install build-essential")


def usable(venv: Path) -> bool:
    """Tells whether the environment has pip, for the Python that runs this."""
    packages = venv / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    return (venv / "bin" / "python").exists() and (packages / "pip").is_dir()


def install(venv: Path) -> None:
    """Installs what setup.py's extras name, at the pinned versions, and the package itself, editable."""
    pip = [venv / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", "-c", CONSTRAINTS]
    run([*pip, "setuptools"])  # from 3.12 an environment begins without it
    run([*pip, "--no-build-isolation", "-e", f"{ROOT}[{EXTRAS}]"])


def correct_include_paths(venv: Path) -> None:
    """Points the CMake files of the message wheels to this environment's headers."""
    python_include, numpy_include = run([venv / "bin" / "python", "-c", ASK_INCLUDES]).split("\n")[:2]
    for path in venv.glob("share/*/cmake/*.cmake"):
        before = path.read_text()
        after = NUMPY_INCLUDE.sub(lambda _: numpy_include, before)
        after = PYTHON_INCLUDE.sub(lambda _: python_include, after)
        if after != before:
            path.write_text(after)


def build_messages(venv: Path) -> None:
    """Builds lightmatch_msgs and installs it into the environment."""
    python, cmake = venv / "bin" / "python", venv / "bin" / "cmake"
    prefix = {"AMENT_PREFIX_PATH": str(venv), "CMAKE_PREFIX_PATH": str(venv)}
    path = {"PATH": f"{venv / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    options = [f"-DCMAKE_INSTALL_PREFIX={venv}", f"-DPython3_EXECUTABLE={python}", "-DBUILD_TESTING=OFF"]
    with tempfile.TemporaryDirectory(prefix="lightmatch_msgs_") as build:
        run([cmake, "-S", MESSAGES, "-B", build, "-DCMAKE_BUILD_TYPE=Release", *options], {**prefix, **path})
        run([cmake, "--build", build, "--parallel", os.cpu_count() or 1], {**prefix, **path})
        run([cmake, "--install", build], {**prefix, **path})


def run(command: Sequence[object], variables: Mapping[str, str] | None = None) -> str:
    """Runs a command and returns what it printed.

    Raises:
        PrepareError: it failed; the end of what it printed goes to stderr.
    """
    environment = {k: v for k, v in os.environ.items() if k not in FOREIGN_VARIABLES}
    done = subprocess.run(
        [str(part) for part in command],
        env={**environment, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        print("", *done.stdout.splitlines()[-LOG_TAIL_LINES:], sep="\n", file=sys.stderr)
        raise PrepareError(f"exit status {done.returncode} from: {' '.join(map(str, command))}")
    return done.stdout


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Prints the name of a step when it begins and its time when it has ended."""
    print(f"{name} ...", end=" ", flush=True)
    begin = time.monotonic()
    yield
    print(f"{time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
