#!/usr/bin/env bash
# Run every test, the browser's among them. What is given goes to pytest, such as -k homogeneity.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/environment.sh
make_environment
install requirements.txt requirements-test.txt

# A Chromium: one that is there, else Debian's, else Playwright's own.
find_chromium() {
  local name
  for name in "${XDNN_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$name" ] && command -v "$name" && return
  done
  .venv/bin/python -c '
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    path = p.chromium.executable_path
if not os.path.exists(path):
    sys.exit(1)
print(path)' 2>/dev/null
}

install_chromium() {
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's Chromium for the browser tests."
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null &&
      return
  fi
  echo "Installing Playwright's Chromium for the browser tests."
  .venv/bin/python -m playwright install chromium
}

if ! XDNN_CHROMIUM=$(find_chromium); then
  install_chromium || true
  XDNN_CHROMIUM=$(find_chromium) ||
    fail "the browser tests need a Chromium and none could be installed; install one" \
      "(Debian: apt-get install chromium), or name it with XDNN_CHROMIUM=/path/to/chromium."
fi
export XDNN_CHROMIUM
if [ $# -gt 0 ]; then
  exec .venv/bin/python -m pytest "$@"
fi
# The core's tests on all cores; then the browser's one after the other, since the app they drive
# computes on all cores itself.
.venv/bin/python -m pytest --ignore=tests/browser --numprocesses=logical --dist=worksteal
.venv/bin/python -m pytest tests/browser
