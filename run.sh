#!/usr/bin/env bash
# Serve the app on http://localhost:8501, to this machine only. Options go to `streamlit run`, such
# as --server.port 9000, or --server.address 0.0.0.0 to share it.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/environment.sh
make_environment
exec .venv/bin/python -m streamlit run app.py --server.port 8501 "$@"
