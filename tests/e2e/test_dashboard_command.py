"""`social-warehouse dashboard` where it cannot start: one line says why, and what to do next."""

import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("social-warehouse")
WITHOUT_STREAMLIT = """
import sys
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "streamlit" else found(name, *more)
sys.argv = ["social-warehouse", "dashboard"]
from pipelines.cli import main
main()
"""


def start(home: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SOCIAL_WAREHOUSE_HOME": str(home)}
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_published_copy_the_next_step_is_said(tmp_path: Path) -> None:
    done = start(tmp_path, COMMAND, "dashboard")
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: {tmp_path}/published/warehouse.duckdb does not exist. Run 'social-warehouse sync' first.\n"
    )


def test_without_the_extra_the_way_to_install_it_is_said(tmp_path: Path) -> None:
    done = start(tmp_path, sys.executable, "-c", WITHOUT_STREAMLIT)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: The dashboard needs streamlit. Install the extra")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    assert start(tmp_path, COMMAND, "dashboard", "--port", "70000").returncode == 2
