#!/bin/sh
# Makes sure of what the package indexes of Python cannot bring: prerequisites.sh venv|javac|npm ...
# As root on Debian and Ubuntu what is missing is installed, elsewhere it is named.
set -eu

have() {
    case $1 in
    venv) (cd / && "${PYTHON:-python3}" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 9))') 2>/dev/null ;;
    javac) [ "$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')" -ge 17 ] 2>/dev/null ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

missing=
for tool in "$@"; do
    have "$tool" && continue
    case $tool in
    venv) package=python3-venv; missing="$missing python3 >= 3.9 with venv," ;;
    javac) package=default-jdk-headless; missing="$missing a JDK >= 17," ;;
    *) package=$tool; missing="$missing $tool," ;;
    esac
    packages="${packages:-} $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing$packages" >&2
    apt-get update -qq >&2
    # shellcheck disable=SC2086 # one word per package
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $packages >&2
else
    echo "missing:${missing%,} (Debian and Ubuntu: apt-get install$packages)" >&2
    exit 1
fi
