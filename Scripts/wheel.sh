#!/bin/sh
# Makes the Python wheel: the package and a libapus.so without FFmpeg and without the Swift run-time
# around it. Needs the libraries (Scripts/libraries.sh) and a Python with setuptools and wheel.
#
#   wheel.sh LIB_DIR OUT_DIR PYTHON
set -eu
cd "$(dirname "$0")/.."

lib=$1
out=$2
case $3 in
  /*) python=$3 ;;
  *) python=$PWD/$3 ;;
esac
stage=$out/stage

fail() {
  printf 'wheel: FAILED: %s\n' "$*" >&2
  exit 1
}

[ -f "$lib/libapus.so" ] || fail "$lib/libapus.so is missing: run 'make libraries'"
rm -rf "$out"
mkdir -p "$stage"
cp -R Python/pyproject.toml Python/README.md Python/src "$stage"
find "$stage" -name __pycache__ -type d -prune -exec rm -rf {} +
cp "$lib/libapus.so" "$stage/src/apus/libapus.so"
(cd "$stage" && "$python" -m pip wheel -q . --no-deps --no-build-isolation -w dist)
# The library needs glibc 2.34 and nothing else that a Linux of that age lacks.
for version in $(objdump -T "$lib/libapus.so" | grep -o 'GLIBC_[0-9.]*' | sort -u); do
  minor=${version#GLIBC_2.}
  [ "${minor%%.*}" -le 34 ] || fail "libapus.so needs $version; the tag says 2.34"
done
(cd "$stage/dist" && "$python" -m wheel tags --remove --python-tag py3 --abi-tag none \
  --platform-tag manylinux_2_34_x86_64 ./*.whl >/dev/null)
mv "$stage"/dist/*.whl "$out"
rm -rf "$stage"
ls -l "$out" | awk '/\.whl$/ { printf "wheel: %s, %.1f MB\n", $NF, $5 / 1e6 }'
