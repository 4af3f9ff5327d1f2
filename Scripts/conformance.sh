#!/bin/sh
# Compares Apus with the ONNX standard and with ONNX Runtime, through the public Python package.
#
#   conformance.sh [CASES]     after: make test has made the library and the virtual environment
#
# The standard's suite on every executor, the random operators, and CASES (2000) random models.
set -eu
cd "$(dirname "$0")/.."

APUS_LIBRARY=${APUS_LIBRARY:-$PWD/build/test/lib/libapus.so}
PYTHONPATH=$PWD/Python/src
export APUS_LIBRARY PYTHONPATH
python=build/venv/bin/python

$python -W ignore Tests/Conformance/suite.py
$python Tests/Conformance/distributions.py
$python Tests/Conformance/differential.py --cases "${1:-2000}"
