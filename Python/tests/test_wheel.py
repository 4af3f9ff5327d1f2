"""The wheel, in a clean virtual environment without Swift in reach."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT

SCRIPT = """
import sys, numpy as np, apus
x = np.load(sys.argv[1])
model = apus.compile(sys.argv[2], sys.argv[3])
with apus.load(sys.argv[3]) as loaded, loaded.session() as session:
    np.save(sys.argv[4], session(x)[0])
maps = open("/proc/self/maps").read()
assert "libapus.so" in maps
for word in ("libswift", "libav", "libFoundation", "/swift/"):
    assert word not in maps, word
assert apus.__file__.startswith(sys.prefix), apus.__file__
print(apus.__version__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    library = os.environ.get("APUS_LIBRARY")
    assert library, "APUS_LIBRARY names no library: run make test"
    out = tmp_path_factory.mktemp("wheel") / "out"
    subprocess.run(
        ["sh", ROOT / "Scripts/wheel.sh", Path(library).parent, out, sys.executable], check=True
    )
    (made,) = out.iterdir()
    return made


def test_its_name_says_where_it_runs(wheel):
    assert wheel.name == "apus-0.1.0-py3-none-manylinux_2_34_x86_64.whl"
    assert wheel.stat().st_size < 20 << 20


def test_compiles_and_runs_in_a_clean_environment(wheel, product, x, expected, tmp_path):
    place = tmp_path / "clean"
    venv.create(place, with_pip=False)
    packages = next(place.glob("lib/python3*/site-packages"))
    # Its dependencies, and nothing else of this environment.
    own = Path(sysconfig.get_paths()["platlib"])
    for name in ("numpy", "numpy.libs", "ml_dtypes"):
        if (own / name).exists():
            (packages / name).symlink_to(own / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check",
         "--no-index", "--no-deps", "--target", packages, wheel],
        check=True,
    )
    np.save(tmp_path / "x.npy", x)
    onnx.save(product, tmp_path / "m.onnx")
    result = subprocess.run(
        [place / "bin/python", "-c", SCRIPT, "x.npy", "m.onnx", "m.apus", "y.npy"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "0.1.0\n"
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, rtol=1e-5)
