"""The C example: built as users build it, with pkg-config and with CMake, as C99 and as C++."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import DETECTOR_POSTPROCESSING, DETECTOR_PREPROCESSING, ROOT
from PIL import Image

import apus

WARNINGS = ["-Wall", "-Wextra", "-pedantic", "-Werror"]
SOURCE = ROOT / "Samples/c/detect.c"


def run(*command, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if check and result.returncode != 0:
        pytest.fail(f"{command[0]} ended with {result.returncode}:\n{result.stdout}{result.stderr}")
    return result


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Path:
    """Where `make install` has put everything."""
    library = os.environ.get("APUS_LIBRARY")
    assert library, "APUS_LIBRARY names no library: run make test"
    place = tmp_path_factory.mktemp("prefix")
    run("sh", ROOT / "Scripts/install.sh", Path(library).parent, place)
    return place


@pytest.fixture(scope="module")
def environment(prefix) -> dict[str, str]:
    """What a user of the prefix sets."""
    return {
        "PATH": os.environ["PATH"],
        "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig",
        "LD_LIBRARY_PATH": f"{prefix}/lib",
        "CMAKE_PREFIX_PATH": str(prefix),
    }


@pytest.fixture(scope="module")
def built(environment, tmp_path_factory) -> Path:
    """The example, built by pkg-config: for both libraries, and as C++."""
    place = tmp_path_factory.mktemp("example")
    for package, name in (("apus", "detect"), ("apus-runtime", "detect-runtime")):
        flags = run("pkg-config", "--cflags", "--libs", package, env=environment).stdout.split()
        run("cc", "-std=c99", *WARNINGS, SOURCE, "-o", place / name, *flags)
    flags = run("pkg-config", "--cflags", "--libs", "apus", env=environment).stdout.split()
    run("c++", "-std=c++11", *WARNINGS, "-x", "c++", SOURCE, "-o", place / "detect-cpp", *flags)
    return place


@pytest.fixture(scope="module")
def inputs(detector, tmp_path_factory) -> tuple[Path, Path]:
    """A compiled detector and a picture."""
    place = tmp_path_factory.mktemp("inputs")
    apus.compile(
        detector,
        place / "model.apus",
        preprocess=DETECTOR_PREPROCESSING,
        postprocess=DETECTOR_POSTPROCESSING,
        proof=False,
    ).close()
    source = sorted((ROOT / "Samples/pictures/validation").iterdir())[0]
    Image.open(source).convert("RGB").save(place / "picture.ppm")
    return place / "model.apus", place / "picture.ppm"


def expected(model: Path, picture: Path) -> list[str]:
    """What Python finds."""
    with apus.load(model) as loaded, loaded.session() as session:
        info = loaded.inputs[0]
        prepare = apus.Preprocessing(loaded.preprocessing[info.name], info)
        tensor, (mapping,) = prepare(np.asarray(Image.open(picture)))
        detect = apus.Postprocessing(loaded.postprocessing or "")
        return [
            f"{item.label} {item.score:.3f} " + " ".join(f"{side:.1f}" for side in item.box)
            for item in detect(session.run([tensor]), mapping)
        ]


@pytest.mark.parametrize("program", ["detect", "detect-runtime", "detect-cpp"])
def test_finds_what_python_finds(built, environment, inputs, program):
    result = run(built / program, *inputs, env=environment)
    assert result.stdout.splitlines() == expected(*inputs)
    assert len(result.stdout.splitlines()) > 0


def test_compiles_a_source_model(built, environment, inputs, detector):
    arguments = [detector, inputs[1], DETECTOR_PREPROCESSING, DETECTOR_POSTPROCESSING]
    result = run(built / "detect", *arguments, env=environment)
    assert result.stdout.splitlines() == expected(*inputs)
    assert "compiling 1/1" in result.stderr
    refused = run(built / "detect-runtime", *arguments, env=environment, check=False)
    assert refused.returncode == 1
    assert "APUS_UNAVAILABLE" in refused.stderr and "only runs" in refused.stderr


def test_says_what_is_wrong(built, environment, inputs):
    result = run(built / "detect", "/nowhere.apus", inputs[1], env=environment, check=False)
    assert result.returncode == 1
    assert "APUS_UNREADABLE: /nowhere.apus" in result.stderr


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_has_no_errors_and_no_leaks_under_valgrind(built, environment, inputs, detector):
    """Compiling and running: all that the example does."""
    result = run(
        "valgrind",
        "--quiet",
        "--error-exitcode=9",
        "--leak-check=full",
        "--show-leak-kinds=definite,possible",
        "--errors-for-leak-kinds=definite",
        built / "detect",
        detector,
        inputs[1],
        DETECTOR_PREPROCESSING,
        DETECTOR_POSTPROCESSING,
        env=environment,
    )
    found = [line.split()[0] for line in result.stdout.splitlines()]
    assert found == [line.split()[0] for line in expected(*inputs)]


@pytest.mark.skipif(shutil.which("cmake") is None, reason="CMake is not installed")
def test_builds_with_cmake(environment, inputs, tmp_path):
    run("cmake", "-S", SOURCE.parent, "-B", tmp_path, env=environment)
    run("cmake", "--build", tmp_path, env=environment)
    for program in ("detect", "detect-cpp"):
        result = run(tmp_path / program, *inputs, env=environment)
        assert result.stdout.splitlines() == expected(*inputs)


@pytest.mark.parametrize("library", ["libapus.so", "libapus-runtime.so"])
def test_libraries_need_only_what_every_linux_has(prefix, library):
    dump = run("objdump", "-p", prefix / "lib" / library).stdout
    needed = {line.split()[1] for line in dump.splitlines() if "NEEDED" in line}
    allowed = ("libc.so", "libm.so", "libstdc++.so", "libgcc_s.so", "ld-linux")
    assert all(name.startswith(allowed) for name in needed), needed
    symbols = run("nm", "-D", "--defined-only", prefix / "lib" / library).stdout.split()[2::3]
    assert len(symbols) > 50
    assert all(name.startswith("apus_") for name in symbols), symbols
    header = (ROOT / "Sources/CApus/include/apus.h").read_text()
    assert all(f"{name}(" in header for name in symbols)
