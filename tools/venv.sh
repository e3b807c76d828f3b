#!/usr/bin/env bash
# Make a virtual environment with uv in it, by whatever this machine has: uv, venv with pip, or
# Debian's python3-venv installed first. Usage: tools/venv.sh FOLDER PYTHON
set -euo pipefail
venv=$1 python=$2

[ -x "$venv/bin/uv" ] && "$venv/bin/python" -c '' 2>/dev/null && exit 0

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
  echo "$python isn't Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2
  exit 1
}

if command -v uv >/dev/null; then
  uv venv --quiet --clear --python "$python" "$venv"
  uv pip install --quiet --python "$venv/bin/python" uv
  exit 0
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  sudo=""
  [ "$(id -u)" = 0 ] || sudo="sudo"
  echo "Installing from Debian's packages: python3-venv"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq python3-venv >/dev/null
fi
"$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet uv
