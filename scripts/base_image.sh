#!/usr/bin/env bash
# Makes sure that python:3.11-slim exists: as it is, pulled, or built with debootstrap where no registry can be
# reached. The built one is Debian bookworm with its Python 3.11; its tarball is cached, so that it is built once.
set -euo pipefail

image=python:3.11-slim
cache=${XDG_CACHE_HOME:-$HOME/.cache}/triptych
tarball=$cache/python-3.11-slim.tar

if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image is here."
    exit 0
fi
if timeout 120 docker pull "$image"; then
    exit 0
fi
echo "$image cannot be pulled."

if [ ! -s "$tarball" ]; then
    if ! command -v debootstrap >/dev/null; then
        echo "Making it needs debootstrap: apt-get install debootstrap" >&2
        exit 1
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "debootstrap needs root: sudo --preserve-env=HOME,XDG_CACHE_HOME $0" >&2
        exit 1
    fi
    mkdir -p "$cache"
    root=$(mktemp -d "$cache/rootfs.XXXXXX")
    trap 'rm -rf "$root" "$tarball.part"' EXIT
    echo "Building it with debootstrap; this takes about a minute."
    debootstrap --variant=minbase --include=python3,python3-pip,ca-certificates bookworm "$root"
    ln -sf python3 "$root/usr/bin/python"
    rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    tar -C "$root" -c . >"$tarball.part"
    mv "$tarball.part" "$tarball"
fi
docker import "$tarball" "$image"
