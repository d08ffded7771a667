#!/bin/sh
# A certificate that this machine signs for itself, for a month. Browsers warn of it: for a class, take one from
# Let's Encrypt, whose files are /etc/letsencrypt/live/DOMAIN/fullchain.pem and privkey.pem.
# Usage: make-certificate.sh [DOMAIN]
set -eu
domain=${1:-localhost}
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$domain" \
  -addext "subjectAltName=DNS:$domain" -keyout hub.key -out hub.crt
