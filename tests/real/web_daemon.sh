# Sourced by the scripts beside it that walk a real daemon's HTTP API or its pages, from the root of the repository: builds the program,
# finds a free port, and has a place that is gone in the end, with the daemon that `start` started there. The configuration is written
# by whoever sources this, to "$place/pushcron.yaml".
root=$PWD
cargo build --locked --quiet
binary=$root/target/debug/pushcron
place=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
daemon=

# run WORD …: the program on that configuration and its database.
run() { "$binary" -c "$place/pushcron.yaml" --db "$place/pushcron.db" "$@"; }

# Starts the daemon, and waits until it listens.
start() {
    chmod 600 "$place/pushcron.yaml"
    # Not by `run`, whose process would be a shell's.
    "$binary" -c "$place/pushcron.yaml" --db "$place/pushcron.db" run >"$place/out" 2>"$place/log" &
    daemon=$!
    for _ in $(seq 300); do
        grep -q 'the HTTP API listens' "$place/log" && return
        kill -0 "$daemon" 2>/dev/null || break
        sleep 0.1
    done
    cat "$place/log"
    exit 1
}

stop() {
    if [ -n "$daemon" ]; then
        kill "$daemon" 2>/dev/null && wait "$daemon" || true
    fi
    daemon=
}
trap 'stop; rm -rf "$place"' EXIT

# The last look of each walk: the daemon has met no error.
see_no_error() {
    if grep -E 'ERROR|a bug of pushcron' "$place/log"; then
        exit 1
    fi
}
