#!/usr/bin/env bash
# Serve the app on http://localhost:8501, to this machine only. Options go to `streamlit run`, such
# as --server.port 9000, or --server.address 0.0.0.0 to share it.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/environment.sh
make_environment
# Each thread's own pool of freed memory is never given back; two pools serve the few that compute.
export MALLOC_ARENA_MAX=2
# Threads that wait for each other sleep: while they spin, pages and other people's pictures cannot
# use their cores (first page 3.9 instead of 4.4 s on two cores).
export OMP_WAIT_POLICY=passive
exec .venv/bin/python -m streamlit run app.py --server.port 8501 "$@"
