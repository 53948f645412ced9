#!/bin/sh
# Copies what the image holds of Lighterman into the directory $1: the bundle, the scripts that it reads, and the packages with
# binaries, which no bundle can hold (`external` in .ci/build.mjs).
set -eu
into=$1
mkdir -p "$into/node_modules/@photostructure/sqlite/prebuilds"
cp package.json LICENSE deploy/image/health.mjs "$into"
cp -R dist "$into"
find "$into/dist" -name '*.map' -delete
find src -name '*.py' -o -path 'src/cli/demo/project/*' -type f | tar -cT - | tar -xC "$into"
sqlite=node_modules/@photostructure/sqlite
cp -R $sqlite/package.json $sqlite/LICENSE $sqlite/dist "$into/$sqlite"
cp -R "$sqlite/prebuilds/$(node -p 'process.platform + "-" + process.arch')" "$into/$sqlite/prebuilds"
cp -R node_modules/node-gyp-build node_modules/node-unix-socket* "$into/node_modules"
