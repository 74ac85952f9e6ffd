#!/bin/sh
# Says what this system lacks for `make demo` and `make test`, with the command that brings it; where it is root and on
# apt, it installs that itself. PYTHON names the Python to use. Ends with 0 where nothing is missing any more.
set -u
PYTHON=${PYTHON:-python3.11}

# shared library: Debian's and Ubuntu's package. All are Blender's, the last two for rendering without a screen.
LIBRARIES="
libX11.so.6:libx11-6
libXrender.so.1:libxrender1
libXfixes.so.3:libxfixes3
libXi.so.6:libxi6
libxkbcommon.so.0:libxkbcommon0
libSM.so.6:libsm6
libGL.so.1:libgl1
libEGL.so.1:libegl1
libEGL_mesa.so.0:libegl-mesa0
"

missing_packages() {
    known=$({ ldconfig -p || /sbin/ldconfig -p; } 2>/dev/null)
    for pair in $LIBRARIES; do
        case "$known" in *"${pair%%:*}"*) ;; *) echo "${pair#*:}" ;; esac
    done
    # Mesa's drivers are loaded by name, not linked.
    ls /usr/lib/*/dri/swrast_dri.so /usr/lib/dri/swrast_dri.so /usr/lib64/dri/swrast_dri.so 2>/dev/null | grep -q . ||
        echo libgl1-mesa-dri
    if ! command -v "$PYTHON" >/dev/null 2>&1; then
        echo "$PYTHON" "$PYTHON-venv"
    elif ! "$PYTHON" -c "import ensurepip, venv" >/dev/null 2>&1; then
        "$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
}

check_python() {
    command -v "$PYTHON" >/dev/null 2>&1 || return 0
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
        echo "error: $PYTHON is not Python 3.11, the only one for which Blender 4.5 is on PyPI: make PYTHON=python3.11" >&2
        exit 1
    }
}

[ "$(uname -s)" = Linux ] || { check_python; exit 0; }
missing=$(missing_packages | tr '\n' ' ')
if [ -n "$missing" ]; then
    command="apt-get update && apt-get install -y --no-install-recommends $missing"
    echo "This system lacks: $missing"
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        echo "+ $command"
        export DEBIAN_FRONTEND=noninteractive
        sh -c "$command" || echo "error: apt-get failed." >&2
    else
        echo "Install it with: sudo sh -c '$command'"
        echo "(on a system without apt: the packages with the same libraries)"
    fi
    missing=$(missing_packages | tr '\n' ' ')
    if [ -n "$missing" ]; then
        echo "error: still missing: $missing" >&2
        case "$missing" in *python3.11*)
            echo "Ubuntu has Python 3.11 in 'add-apt-repository ppa:deadsnakes/ppa', everybody in 'uv python install 3.11'." >&2 ;;
        esac
        exit 1
    fi
fi
check_python
