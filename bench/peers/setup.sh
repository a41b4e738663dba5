#!/bin/sh
# Makes the Python environment of the peers:
#     sh bench/peers/setup.sh VENV
# and use it with PEERS_VENV=VENV sh bench/peers/run.sh …
set -eu
[ $# -eq 1 ] || { echo "usage: setup.sh VENV" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
venv=$1
pins=$here/requirements.txt

python3 -m venv "$venv"
pip() { "$venv/bin/python" -m pip "$@"; }

# The CPU build first: left to themselves the packages would ask for the CUDA build, gigabytes that nothing here uses.
pip install -q "torch==$(sed -n 's/^torch==//p' "$pins")+cpu" ||
    pip install -q --index-url https://download.pytorch.org/whl/cpu "$(grep '^torch==' "$pins")"
pip install -q -r "$pins"

# Its declared needs pin an nnsight that wants old versions of the others; training needs einops and tqdm alone, and
# tool_dictionary_learning.py stands in for the rest.
pip install -q --no-deps "$(sed -n 's/^# without dependencies: //p' "$pins")"

cd "$here"
for module in tool_dictionary_learning tool_sparsify tool_saelens; do
    "$venv/bin/python" -c "import $module" >/dev/null 2>&1 || echo "$module does not import: run.sh will skip it" >&2
done
