#!/bin/bash
# Puts Debian unstable's Blender (5.2 in November 2026), with its window, into a root at $BLENDER_ROOT, for the window's
# stories in a newer Blender than the usual root's:
#
#     export BLENDER_ROOT=~/.cache/blender-sid
#     tests/gui/make_newer_root.sh
#     MOTION324_TEST_BACKEND=$PWD/.venv/bin/python .venv-blender/bin/python -m pytest tests/gui -m long
#
# Needs root, debootstrap and ../shared/tools/blender_gui; about 5 minutes and 2 GB. Unstable changes from day to day, so
# that this is no part of `make test-all`.
set -euo pipefail
root=${BLENDER_ROOT:?names the folder of the root}
here=$(cd "$(dirname "$0")/../.." && pwd)
run="$here/../shared/tools/blender_gui/run.sh"
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/*.sources)
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$root"
[ -e "$root/etc/debian_version" ] || debootstrap --variant=minbase sid "$root" "$mirror" >/dev/null
cp /etc/resolv.conf /etc/hosts "$root/etc/"
ln -sf /proc/mounts "$root/etc/mtab"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"; chmod +x "$root/usr/sbin/policy-rc.d"
"$run" apt-get -o Acquire::Check-Valid-Until=false update -qq  # the mirror may be a snapshot
"$run" apt-get install -y -qq --no-install-recommends blender python3-cattr python3-numpy python3-requests python3-zstandard python3-venv \
    xvfb xauth xdotool libgl1-mesa-dri libegl1 x11-apps x11-utils imagemagick >/dev/null
"$run" apt-get clean
"$run" blender -b --factory-startup --python-expr "import bpy, numpy; print('READY', bpy.app.version_string, numpy.__version__)" | grep READY
