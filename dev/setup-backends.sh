#!/usr/bin/env bash
# Usage: dev/setup-backends.sh [PACKAGE ...]
# Installs system packages: those named, or all that the tests' real back ends need. Needs root and apt; without them
# it says what is not here.
set -euo pipefail

is_here() {
  case $1 in
    mariadb-server) [ -x /usr/sbin/mariadbd ] ;;
    postgresql) ls /usr/lib/postgresql/*/bin/initdb ;;
    chromium) [ -x /usr/bin/chromium ] ;;
    login) [ -e /etc/pam.d/login ] ;;
    haproxy) [ -x /usr/sbin/haproxy ] ;;
    slapd) [ -x /usr/sbin/slapd ] ;;
    nginx-light) [ -x /usr/sbin/nginx ] ;;
    util-linux) command -v runuser && command -v taskset ;;
    passwd) command -v useradd ;;
    slurm-wlm) command -v slurmctld && command -v slurmd && command -v sbatch ;;
    gridengine-master) [ -x /usr/lib/gridengine/sge_qmaster ] ;;
    gridengine-exec) [ -x /usr/lib/gridengine/sge_execd ] ;;
    gridengine-client) command -v qconf && command -v qacct ;;
    docker.io) command -v dockerd && command -v docker ;;
    iproute2) command -v ip ;;
    supervisor) command -v supervisord ;;
    munge) [ -x /usr/sbin/munged ] ;;
    systemd) [ -x /lib/systemd/systemd ] && command -v busctl ;;
    dbus) command -v dbus-daemon ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

if [ $# -eq 0 ]; then
  set -- postgresql mariadb-server chromium login haproxy nginx-light curl openssl util-linux passwd wrk git redis-server slurm-wlm munge sudo slapd \
    docker.io iptables runc containerd iproute2 supervisor systemd dbus \
    gridengine-master gridengine-exec gridengine-client
fi
missing=()
for package in "$@"; do
  is_here "$package" || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "== Not root, or no apt: ${missing[*]} not installed; what needs them is left out"
  exit 0
fi
echo "== Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
known=()
for package in "${missing[@]}"; do
  # One that this release does not have must not keep all the others from being installed.
  if apt-cache show "$package" >/dev/null 2>&1; then
    known+=("$package")
  else
    echo "== $package is not to be had here; what needs it is left out"
  fi
done
[ ${#known[@]} -eq 0 ] || apt-get install -y -qq --no-install-recommends "${known[@]}" </dev/null >/dev/null
