"""What is tested and measured is what `bash run.sh` starts."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlparse

import pytest

from tools.serving import ROOT, start_server


def effective_settings(*options: str) -> dict[str, object]:
    """Every setting of Streamlit in this project, as one flat table."""
    command = [sys.executable, "-m", "streamlit", "config", "show", *options]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {
        f"{section}.{name}": value
        for section, values in tomllib.loads(shown[shown.index("[global]") :]).items()
        for name, value in values.items()
    }


def test_the_tests_change_nothing_but_the_port(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    try:
        asked = ["ps", "-ww", "-o", "args=", "-p", str(server.process.pid)]
        running = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
        _, port = urlparse(server.url).netloc.split(":")
        with (
            pytest.raises(ConnectionRefusedError),
            socket.create_connection(("127.0.0.2", int(port)), 1),
        ):
            pass
    finally:
        server.stop()
    script = (ROOT / "run.sh").read_text()
    own = re.findall(r'streamlit run app\.py (.*) "\$@"', script)[0].split()
    theirs = running[running.index("app.py") + 1 :]
    users, tested = effective_settings(*own), effective_settings(*theirs)
    assert {name for name in users | tested if users.get(name) != tested.get(name)} == {
        "server.port"
    }
    assert users["server.port"] == 8501
    assert users["server.address"] == "127.0.0.1"
    assert users["server.fileWatcherType"] == "none"
