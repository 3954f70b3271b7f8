#!/usr/bin/env bash
# Start the app on http://localhost:8501. Options go to `streamlit run`, such as --server.port 9000.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/environment.sh
make_environment
exec .venv/bin/python -m streamlit run app.py --server.port 8501 "$@"
