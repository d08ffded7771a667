#!/usr/bin/env bash
# Makes .cache/docker-image/root.tar, the file system of a container with Python and a notebook server: from the files of
# this machine's Debian packages and from PyPI, since no image registry may be reachable. Instant when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

debian=(bash ca-certificates coreutils dash libc-bin libstdc++6 procps python3)
pypi=(jupyterhub==6.1.1 'jupyter_server>=2.14' 'tornado>=6.4' 'traitlets>=5.14' h11 itsdangerous msgspec)
stamp="1 ${debian[*]} ${pypi[*]}"
directory=${CARREL_CACHE:-.cache}/docker-image
if [ -f "$directory/.carrel" ] && [ "$(cat "$directory/.carrel")" = "$stamp" ]; then
  exit 0
fi
if ! command -v apt-cache >/dev/null || ! /usr/bin/python3 -c 'import venv, sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "== No Debian with Python 3.11 or newer: no container image can be made" >&2
  exit 1
fi
echo "== Making $directory"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$directory" "$work/root/etc" "$work/root/home/jovyan" "$work/root/opt" "$work/root/tmp"

# What the packages installed, by the real paths: names below /bin and /lib lead through links to /usr. dpkg complains of
# packages that are only names for others.
apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances "${debian[@]}" | grep -E '^[a-z0-9]' | sort -u | { xargs dpkg -L 2>/dev/null || true; } |
  grep -vE '^/usr/share/(doc|man|locale|info|lintian)/' | sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' |
  cat - <(printf '%s\n' /bin /sbin /lib /lib64 /etc/alternatives) | sort -u |
  while read -r path; do if [ -e "$path" ] || [ -L "$path" ]; then echo "${path#/}"; fi; done |
  grep -vE '^(|\.|etc/(passwd|group)|tmp|opt|home)$' >"$work/files"
tar -C / -c --no-recursion -T "$work/files" -f "$work/root.tar"

/usr/bin/python3 -m venv --without-pip "$work/root/opt/venv"
.venv/bin/python -m pip --disable-pip-version-check --no-input --python "$work/root/opt/venv/bin/python" \
  install --quiet "${pypi[@]}"
find "$work/root/opt/venv/bin" -type f -exec sed -i "1s,^#!$work/root,#!," {} +

printf '%s\n' root:x:0:0::/root:/bin/bash jovyan:x:1000:1000::/home/jovyan:/bin/bash >"$work/root/etc/passwd"
printf '%s\n' root:x:0: jovyan:x:1000: >"$work/root/etc/group"
chmod 1777 "$work/root/tmp"
tar -C "$work/root" -r -f "$work/root.tar" --owner=0 --group=0 etc/passwd etc/group opt tmp
tar -C "$work/root" -r -f "$work/root.tar" --owner=1000 --group=1000 home/jovyan
mv "$work/root.tar" "$directory/root.tar"
printf '%s' "$stamp" >"$directory/.carrel"
