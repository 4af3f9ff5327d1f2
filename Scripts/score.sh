#!/bin/sh
# Measures Apus beside ONNX Runtime, OpenVINO and ncnn, on this machine; build the libraries before.
#
#   score.sh [--models A,B] [--precisions fp32,bf16,int8] [--threads 1,2] [--rounds N] [--compare]
#
# The peers are installed from PyPI into build/score/venv, at the versions of
# Benchmarks/requirements.txt. Benchmarks/score.py says what is measured, and how.
set -eu
cd "$(dirname "$0")/.."

venv=build/score/venv
if ! cmp -s Benchmarks/requirements.txt $venv/requirements.txt; then
  python3 -m venv $venv
  $venv/bin/pip install --quiet --disable-pip-version-check -r Benchmarks/requirements.txt
  # Only the converter to ncnn that lies in it: the package's own needs are PyTorch's gigabytes.
  $venv/bin/pip install --quiet --disable-pip-version-check --no-deps pnnx==20261020
  cp Benchmarks/requirements.txt $venv/requirements.txt
fi
APUS_LIBRARY=${APUS_LIBRARY:-$PWD/build/lib/libapus.so} PYTHONPATH=Python/src \
  exec $venv/bin/python Benchmarks/score.py "$@"
