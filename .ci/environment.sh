# Sourced by run.sh and test.sh: makes .venv and installs what is missing, once per change.

fail() {
  echo "error: $*" >&2
  exit 1
}

# The first Python that is new enough: PYTHON if set, then the usual names.
find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11 python; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  fail "no Python 3.11 or newer was found; install one, or name it with PYTHON=/path/to/python3."
}

# install FILE...: pip install -r FILE..., skipped when nothing changed since it last succeeded.
install() {
  local stamp wanted file arguments=()
  stamp=".venv/.installed-$(basename "${!#}")"
  wanted=$(cat "$@" | cksum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return
  for file in "$@"; do arguments+=(-r "$file"); done
  echo "Installing $* into .venv; the first time takes a few minutes."
  .venv/bin/python -m pip install --quiet --disable-pip-version-check "${arguments[@]}" ||
    fail "the packages of $* could not be installed; see the lines above."
  echo "$wanted" >"$stamp"
}

make_environment() {
  if ! .venv/bin/python -c '' 2>/dev/null; then
    local python
    python=$(find_python)
    "$python" -m venv --clear .venv ||
      fail "$python cannot make a virtual environment; on Debian install python3-venv."
  fi
  install requirements.txt
}
