#!/bin/sh
# Makes a virtual environment and installs into it, at the versions of constraints.txt: for make and for docker/ alike.
#   sh requirements/install.sh FOLDER REQUIREMENT…      PYTHON=… names the interpreter
set -eu
venv=$1
shift
lock=$(dirname "$0")/constraints.txt

"${PYTHON:-python3}" -m venv "$venv"
python=$venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check -c "$lock" uv

# A folder of wheels that pip is configured with (a CPU build of torch, say) is used by uv too; none on most machines.
for folder in $("$python" -m pip config get global.find-links 2>/dev/null || printenv PIP_FIND_LINKS); do
    set -- --find-links "$folder" "$@"
done
VIRTUAL_ENV=$venv "$venv/bin/uv" pip install --quiet -c "$lock" -b "$lock" "$@" \
    || "$python" -m pip install --quiet --disable-pip-version-check -c "$lock" "$@"
"$python" "$(dirname "$0")/torchvision_operators.py"
