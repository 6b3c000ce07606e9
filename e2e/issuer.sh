#!/bin/bash
# Fetches the OpenID provider that the tests sign in with into a folder of its own and prints that folder's path.
set -euo pipefail
version=9.13.3

cd "$(dirname "$0")/.."
folder=$PWD/.cache/npm/oidc-provider-$version
mkdir -p "$PWD/.cache/npm"
exec 9>"$PWD/.cache/npm/lock"
flock 9

if [[ ! -e $folder/.ready ]]; then
	command -v npm >/dev/null || {
		echo "issuer: signing in through an OpenID provider needs npm to fetch oidc-provider" >&2
		exit 1
	}
	node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || {
		echo "issuer: oidc-provider $version needs Node.js 20 or newer, and this is $(node --version)" >&2
		exit 1
	}
	echo "issuer: fetching oidc-provider $version" >&2
	rm -rf "$folder"
	mkdir -p "$folder"
	npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts "oidc-provider@$version" >&2
	touch "$folder/.ready"
fi
echo "$folder"
