"""The package is typed: mypy finds nothing in its strict mode."""

import subprocess
import sys

from conftest import ROOT


def test_mypy_is_content():
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", ROOT / "build/mypy"],
        cwd=ROOT / "Python",
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
