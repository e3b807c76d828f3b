#!/usr/bin/env bash
# Build the page (web/) into conurb/web_dist, or `check` its types and units; a word without Node.
set -euo pipefail
cd "$(dirname "$0")/../web"

if ! command -v npm >/dev/null ||
  ! node -e 'const [a, b] = process.versions.node.split(".").map(Number);
             process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
  echo "The map isn't built: it needs Node.js 20.19 or newer with npm. The rest works without."
  exit 0
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "Getting what the page is built with ..."
  npm ci --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi

if [ "${1:-build}" = check ]; then
  npm run --silent check
  npm run --silent format:check
  npm run --silent unit
else
  echo "Building the page ..."
  npm run --silent build -- --logLevel warn
  touch ../conurb/web_dist/index.html
fi
