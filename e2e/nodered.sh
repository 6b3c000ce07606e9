#!/bin/bash
# Fetches Node-RED into a folder of its own and prints that folder's path.
set -euo pipefail
version=4.1.15

cd "$(dirname "$0")/.."
folder=$PWD/.cache/npm/node-red-$version
mkdir -p "$PWD/.cache/npm"
exec 9>"$PWD/.cache/npm/lock"
flock 9

if [[ ! -e $folder/.ready ]]; then
	command -v npm >/dev/null || {
		echo "nodered: the console that signs in by script needs npm to fetch Node-RED" >&2
		exit 1
	}
	echo "nodered: fetching Node-RED $version" >&2
	rm -rf "$folder"
	mkdir -p "$folder"
	npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts "node-red@$version" >&2
	touch "$folder/.ready"
fi
echo "$folder"
