#!/usr/bin/env bash
# Builds the streams of every TRex profile and looks at their packets; needs PyPI, not TRex.
#   perf/trex/check.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
cd "$ROOT"

venv=${CARGO_TARGET_DIR:-target}/perf-venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r perf/requirements.txt
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=perf "$venv/bin/python" perf/trex/check.py
