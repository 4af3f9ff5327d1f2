#!/bin/sh
# Makes the virtual environment that the Python tests and the wheel need, build/venv, with the
# pinned packages of Python/requirements.txt. Asks the network for nothing where it is up to date.
set -eu
cd "$(dirname "$0")/.."

venv=build/venv
if cmp -s Python/requirements.txt "$venv/requirements.txt"; then
  exit 0
fi
echo 'python: making build/venv'
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check -r Python/requirements.txt
# Written last: what broke off is made anew.
cp Python/requirements.txt "$venv/requirements.txt"
