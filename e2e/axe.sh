#!/bin/bash
# Fetches axe-core into a folder of its own and prints the path of its script.
set -euo pipefail
version=4.14.1

cd "$(dirname "$0")/.."
folder=$PWD/.cache/npm/axe-core-$version
script=$folder/node_modules/axe-core/axe.min.js
mkdir -p "$PWD/.cache/npm"
exec 9>"$PWD/.cache/npm/lock"
flock 9

if [[ ! -e $folder/.ready ]]; then
	command -v npm >/dev/null || {
		echo "axe: the accessibility checks need npm to fetch axe-core" >&2
		exit 1
	}
	echo "axe: fetching axe-core $version" >&2
	rm -rf "$folder"
	mkdir -p "$folder"
	npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts "axe-core@$version" >&2
	touch "$folder/.ready"
fi
echo "$script"
