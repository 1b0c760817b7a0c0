# Sourced by scripts that need a Debian of their own or make the package, from the top of the repository.

# debian HOME: makes HOME/base, a small Debian that nobody changes, where it is not there yet. Ends with 1 where that
# cannot be; HOME has the logs.
debian() {
    local home=$1
    [ -e "$home/made" ] && return
    mkdir -p "$home"
    command -v debootstrap >/dev/null || (apt-get update && apt-get install -y --no-install-recommends debootstrap) \
        >"$home/apt.log" 2>&1 || return 1
    rm -rf "$home/base"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates,procps,sqlite3 \
        bookworm "$home/base" >"$home/debootstrap.log" 2>&1 || return 1
    # Filled at each boot, so that no two copies are the same machine.
    : >"$home/base/etc/machine-id"
    touch "$home/made"
}

# cargo_deb: installs what systemd/debian/build calls, under target/tools. Not optimised: it compresses one package.
cargo_deb() {
    PATH="$PWD/target/tools/bin:$PATH" command -v cargo-deb >/dev/null ||
        CARGO_TARGET_DIR=$PWD/target/tools/build cargo install --quiet --debug --locked --root target/tools cargo-deb
}
