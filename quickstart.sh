#!/bin/sh
# From source to a running server on Debian 12:
#
#	sh quickstart.sh		install what is missing, build, start
#	sh quickstart.sh check		the same, then run every test
#
# Builds in ./build. As root it installs packages; anybody else is told which.
set -eu
cd "$(dirname "$0")"

DEBIAN_FRONTEND=noninteractive
LC_ALL=C.UTF-8
HOME=${HOME:-/root}
export DEBIAN_FRONTEND LC_ALL HOME

say() { printf '%s\n' "$*"; }
die() { printf 'quickstart: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

mode=${1:-start}
case $mode in
start|check) ;;
*) die "usage: sh quickstart.sh [check]" ;;
esac

# --- packages ---------------------------------------------------------------

build_needs="gcc g++ libc6-dev make pkg-config libjson-c-dev libgnutls28-dev
	nettle-dev libargon2-dev libsqlite3-dev zlib1g-dev libwebsockets-dev libfcgi-dev
	libiniparser-dev libtomlplusplus-dev libarchive-dev libpcre2-dev libedit-dev"
checkout_needs="autoconf automake"
check_needs="libfcgi-bin python3-websockets libprotocol-websocket-perl strace faketime slowhttptest prometheus clang libclang-rt-14-dev
	cppcheck python3 perl procps git ca-certificates xz-utils chromium
	openssl apache2-bin lighttpd lighttpd-modules-lua"

installed() {
	test "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed
}

wanted() {
	echo $build_needs
	test -x configure || echo $checkout_needs
	test $mode = start || echo $check_needs
}

# A release brings the page built; in a checkout npm builds it.
page_wanted() { test -e .git || test ! -f webchat/dist/index.html; }

missing() {
	for p in $(wanted); do
		installed "$p" || printf ' %s' "$p"
	done
	# these may come from elsewhere, or in another flavour
	have pkg-config && pkg-config --exists libcurl || printf ' libcurl4-gnutls-dev'
	have nginx || test -x /usr/sbin/nginx || printf ' nginx-light'
	have curl || printf ' curl'     # to try the requests that we print
	if test $mode = check || page_wanted; then
		have node || printf ' nodejs'
		have npm || printf ' npm'
	fi
}

# Packages must not start services of their own: we need their programs only.
no_services() {
	test ! -e /usr/sbin/policy-rc.d || return 0
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
	chmod 755 /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	trap 'exit 1' HUP INT TERM
	services_again() { rm -f /usr/sbin/policy-rc.d; trap - EXIT HUP INT TERM; }
}
services_again() { :; }

install_missing() {
	have dpkg-query || { say "quickstart: no dpkg here; ./configure will say what is missing"; return 0; }
	need=$(missing)
	test -n "$need" || return 0
	test "$(id -u)" = 0 || die "something is missing. As root:
	apt-get update && apt-get install -y --no-install-recommends$need"
	say "quickstart: installing$need"
	no_services
	apt-get update -q
	apt-get install -q -y --no-install-recommends $need </dev/null
	services_again
}

# --- build ------------------------------------------------------------------

build() {
	test -x configure || ./autogen.sh
	if test -f config.status; then
		b=.
	else
		b=build
		mkdir -p build
		test -f build/config.status || (cd build && ../configure)
	fi
	make -C $b -j"$(nproc 2>/dev/null || echo 1)"
	# node does not look at the system's certificates unless told to
	: "${NODE_EXTRA_CA_CERTS:=/etc/ssl/certs/ca-certificates.crt}"
	export NODE_EXTRA_CA_CERTS
	! page_wanted || make -C $b webchat || say "quickstart: the WebChat could not be built; all the rest works"
}

# --- check ------------------------------------------------------------------

failed=
step() {
	name=$1
	shift
	say "=== $name"
	"$@" </dev/null || failed="$failed $name;"
}

check() {
	if test -f t/npm/package-lock.json; then
		step "npm ci" npm --prefix t/npm --no-audit --no-fund ci
		step "npm ci (webchat)" npm --prefix webchat --no-audit --no-fund ci
	fi
	step "cppcheck" make -C $b cppcheck
	step "release" make -C $b distcheck CHECK_T='$(QUICK)'
	test $b = . || step "sanitizers" make -C $b check-sanitize
	step "all tests" make -C $b check
	test -z "$failed" || die "failed:$failed see above"
}

# --- start ------------------------------------------------------------------

# The first start prints a link by itself.
start() {
	LIBREFANG_HOME=${LIBREFANG_HOME:-$HOME/.librefang}
	export LIBREFANG_HOME
	said=
	if ./$b/librefang status >/dev/null 2>&1; then
		say "It is running already."
	else
		said=$(./$b/librefang start) || exit $?
		say "$said"
	fi
	case $said in
	*"#link="*) ;;
	*) say "Open this link in a browser; it works once, for 15 minutes:" && ./$b/librefang login ;;
	esac
	id=$(./$b/librefang agent list --json | sed -n 's/.*"id": *"\([0-9a-f-]\{36\}\)".*/\1/p' | head -n 1)
	cat <<END

It runs at http://127.0.0.1:4545 with its files in $LIBREFANG_HOME. From a script:

  export LIBREFANG_HOME=$LIBREFANG_HOME KEY=\$(./$b/librefang config get api_key)
  curl http://127.0.0.1:4545/api/health
  curl -H "Authorization: Bearer \$KEY" http://127.0.0.1:4545/api/agents
  curl -N -H "Authorization: Bearer \$KEY" -H 'Content-Type: application/json' \\
    -d '{"message":"hello"}' http://127.0.0.1:4545/api/agents/${id:-ID}/message/stream

To end it: ./$b/librefang stop
END
}

install_missing
build
case $mode in
start) start ;;
check) check ;;
esac
