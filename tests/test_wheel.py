"""What `pip install .` gives: the package with its weights, the command xdnn, and the app.

The wheel is installed into an environment of its own that lends the dependencies, two gigabytes,
from the one that runs the tests; that these are all the wheel asks for is a test beside it.
"""

from __future__ import annotations

import ast
import asyncio
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tools.load import FIRST_MAPS, Session
from xdnn_core.data.gallery import gallery

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, outside the checkout; the folder of its commands."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = ["wheel", str(ROOT), "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*pip, *build], check=True, cwd=folder)
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    (wheel,) = folder.glob("*.whl")
    python = environment / "bin" / "python"
    subprocess.run([*pip, "--python", str(python), "install", "--no-deps", str(wheel)], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def run(*command: object, folder: Path) -> str:
    """Run a command as a user does, who knows nothing of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_attributes_a_photograph(installed: Path, tmp_path: Path) -> None:
    {item.key: item for item in gallery()}["rooster"].open().save(tmp_path / "bird.jpg")
    run(installed / "xdnn", "attribute", "bird.jpg", "--out", "maps", folder=tmp_path)
    assert {file.suffix for file in (tmp_path / "maps").iterdir()} == {".png", ".npz", ".json"}
    assert "xdnn COMMAND" in run(installed / "xdnn", "-h", folder=tmp_path)


def test_the_example_of_the_readme_runs(installed: Path, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    printed = run(installed / "python", "-c", example, folder=tmp_path)
    assert float(re.findall(r"\d[\d.e-]*", printed)[0]) < 1e-5


def test_nothing_of_the_checkout_is_seen_and_pages_is_nobodys_name(
    installed: Path, tmp_path: Path
) -> None:
    code = (
        "import importlib.util, xdnn_core;"
        "print(xdnn_core.__file__, importlib.util.find_spec('pages'))"
    )
    file, pages = run(installed / "python", "-c", code, folder=tmp_path).split()
    assert Path(file).is_relative_to(installed.parent)
    assert pages == "None"
    assert (Path(file).parent / "py.typed").exists()


async def seconds_to_maps(port: int) -> float | None:
    """Until Contrast has sent its maps."""
    async with connect(f"ws://127.0.0.1:{port}/_stcore/stream", max_size=None) as connection:
        session = Session(connection, "contrast", "")
        await session.ask()
        return await session.stay(0, FIRST_MAPS["contrast"], "")


def test_the_app_is_served(installed: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(installed / "xdnn"), "app", "--", "--server.port", str(port)]
    log = (tmp_path / "log").open("w+")
    server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                assert asyncio.run(seconds_to_maps(port)) is not None
                break
            except OSError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.2)
    finally:
        server.terminate()
        server.wait(30)
    log.seek(0)
    assert f"http://127.0.0.1:{port}" in log.read(), "the app's own settings hold"


def test_the_wheel_asks_for_what_is_imported() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    asked = {re.split(r"[<>=]", one)[0] for one in declared}
    files = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "xdnn_core").rglob("*.py")]
    names: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                names |= {name.name.split(".")[0] for name in node.names}
    names -= {*sys.stdlib_module_names, "xdnn_core", "pages"}
    owners = packages_distributions()
    imported = {owners[name][0].lower().replace("_", "-") for name in names}
    # What Streamlit brings with it is imported as its part.
    assert imported - asked <= {"starlette"}
    pinned = (ROOT / "requirements.txt").read_text()
    assert all(f"\n{one}==" in pinned for one in asked)
