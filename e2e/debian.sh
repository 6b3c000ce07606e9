#!/bin/bash
# Unpacks the real consoles, and what they run on, into a folder of their own and prints its path on
# standard output. Nothing is installed on the machine: apt only downloads, against an empty package
# status; no package's scripts are run. A folder without its stamp is half done and made anew.
set -euo pipefail
umask 022

packages=(
	# What the tests run.
	dokuwiki wordpress wordpress-theme-twentytwentythree mariadb-server
	php8.2-cli php8.2-xml php8.2-mbstring php8.2-mysql php8.2-gd php8.2-curl php8.2-sqlite3
	qbittorrent-nox
	rabbitmq-server apache2-bin libapache2-mod-auth-openidc
	redis-server redis-tools postgresql-15
	# What a root needs to start anything at all.
	base-files libc-bin dash coreutils sed grep
)

say() { echo "debian: $*" >&2; }
die() {
	say "$*"
	exit 1
}

cd "$(dirname "$0")/.."
[[ $(id -u) = 0 ]] || die "the real consoles run in a chroot, which only root can enter"
command -v apt-get >/dev/null || die "the real consoles come from Debian's packages, and there is no apt-get"

base=$PWD/.cache/debian
key=$(sha256sum e2e/debian.sh | cut -c1-16)
root=$base/$key
mkdir -p "$base"
exec 9>"$base/lock"
flock 9

# works tells whether what lies there can be run, whatever its stamp says.
works() {
	[[ -e $root/.ready && $(chroot "$root" php8.2 -m) == *mysqli* && $(chroot "$root" mariadbd --version) == *MariaDB* ]] &&
		[[ $(chroot "$root" redis-server --version) == *v=7* ]] &&
		[[ $(chroot "$root" qbittorrent-nox --version) == *v4.5* ]] &&
		[[ $(chroot "$root" /usr/lib/postgresql/15/bin/postgres --version) == *' 15.'* ]]
}

if works; then
	echo "$root"
	exit
fi

# What an earlier list unpacked, or an interrupted run left, is of no use to anybody.
find "$base" -mindepth 1 -maxdepth 1 ! -name lock ! -name archives -exec rm -rf {} +
mkdir -p "$base/archives/partial" "$base/state" "$root"
: >"$base/state/status"

apt() {
	apt-get -q -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o APT::Install-Recommends=0 \
		-o Dir::State::status="$base/state/status" -o Dir::State::extended_states="$base/state/extended" \
		-o Dir::Cache::archives="$base/archives" -o Dir::Log="$base/state" "$@" >&2
}

if ! apt-cache show dokuwiki >/dev/null 2>&1; then
	say "the machine's package lists are missing: apt-get update"
	apt-get -q update >&2
fi
say "downloading ${packages[*]}, and what they depend on"
apt --yes --download-only install "${packages[@]}" || {
	say "that failed, perhaps for old package lists: apt-get update, then once more"
	apt-get -q update >&2
	apt --yes --download-only install "${packages[@]}"
}

say "unpacking into .cache/debian/$key"
for dir in bin sbin lib lib64; do
	mkdir -p "$root/usr/$dir"
	ln -s "usr/$dir" "$root/$dir"
done
for deb in "$base"/archives/*.deb; do
	dpkg-deb --extract "$deb" "$root"
done
rm -rf "$base/archives" "$base/state"

# The devices that programs take for granted, as plain nodes: nothing is mounted.
rm -rf "$root/dev"
mkdir -m 755 "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
mknod -m 666 "$root/dev/random" c 1 8
mknod -m 666 "$root/dev/urandom" c 1 9
mkdir -p -m 1777 "$root/tmp" "$root/srv"

cat >"$root/etc/passwd" <<'PASSWD'
root:x:0:0:root:/root:/bin/sh
postgres:x:5432:5432::/tmp:/bin/sh
PASSWD
echo "127.0.0.1 localhost" >"$root/etc/hosts"
ln -sf dash "$root/bin/sh"

# PHP's extensions are switched on by package scripts, which did not run; the numbers keep the
# order that Debian gives them, since some need others.
mkdir -p "$root/etc/php/8.2/cli/conf.d"
for ini in "$root"/usr/share/php8.2-*/*/*.ini; do
	priority=$(sed -n 's/^; *priority=//p' "$ini")
	cp "$ini" "$root/etc/php/8.2/cli/conf.d/${priority:-20}-$(basename "$ini")"
done

# Debian's wp-config.php wants a file per host; the tests say all of it before that file is read.
echo '<?php' >"$root/etc/wordpress/config-default.php"

touch "$root/.ready"
works || die "what was unpacked does not run"
say "done: $(du -sh "$root" | cut -f1)"
echo "$root"
