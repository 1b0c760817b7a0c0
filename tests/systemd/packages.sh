#!/usr/bin/env bash
# Tarball and RPM, round a program that is there, and what lintian says of the Debian package: contents, what they ask of a
# system, and that the tarball's `install` puts everything where a bare Debian finds it. With `release`, the program is built
# as it is given away, for both architectures, and the one of the other machine is run under qemu: that takes long, and CI
# leaves it out.
#
#   tests/systemd/packages.sh             # round the debug binary
#   tests/systemd/packages.sh release     # x86_64 and aarch64 from the sources
set -euo pipefail
cd "$(dirname "$0")/../.."
home=$PWD/target/packages
mkdir -p "$home"

skipped() { echo "SKIPPED: $*" >&2; }
fail() {
    echo "FAILED: $*" >&2
    exit 1
}
have() { # TOOL PACKAGE…
    command -v "$1" >/dev/null || (apt-get update && apt-get install -y --no-install-recommends "${@:2}") >"$home/apt.log" 2>&1
}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

# --- the tarball ---------------------------------------------------------------------------------------------------------

if [ "${1:-}" = release ]; then
    have aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    have qemu-aarch64-static qemu-user-static
    archs=(x86_64 aarch64)
    for arch in "${archs[@]}"; do
        systemd/portable/build "$arch" >"$home/path"
    done
else
    archs=(x86_64)
    cargo build --locked --quiet
    PROFILE=dev BINARY=target/debug/pushcron systemd/portable/build >"$home/path" 2>"$home/portable.log" ||
        fail "the tarball: $(cat "$home/portable.log")"
    first=$(sha256sum <"$(cat "$home/path")")
    PROFILE=dev BINARY=target/debug/pushcron systemd/portable/build >"$home/path" 2>"$home/portable.log"
    [ "$first" = "$(sha256sum <"$(cat "$home/path")")" ] || fail 'the same sources make another tarball'
fi

for arch in "${archs[@]}"; do
    tarball=target/portable/pushcron-$version-linux-$arch.tar.gz
    (cd target/portable && sha256sum --quiet --check "$(basename "$tarball").sha256")
    tar -tzf "$tarball" | sed 's|^[^/]*/||' >"$home/contents"
    for path in bin/pushcron install REQUIREMENTS lib/systemd/system/pushcron.service share/man/man1/pushcron.1 \
        share/man/man5/pushcron.yaml.5 share/doc/pushcron/{README.md,docs/README.md,docs/CHANGELOG.md,docs/SECURITY.md,LICENSE-MIT} \
        share/doc/pushcron/docs/{clients/pushcron.py,clients/pushcron.js,containers/compose.yaml} share/pushcron/pushcron.schema.json; do
        grep -qx "$path" "$home/contents" || fail "$tarball lacks $path"
    done
    echo "$tarball: $(tar -xzOf "$tarball" "pushcron-$version-linux-$arch/REQUIREMENTS" | sed -n 1,2p | paste -sd' ')"
done

# --- a push through each of them -------------------------------------------------------------------------------------------

scratch=$(mktemp -d "$home/scratch.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
for arch in "${archs[@]}"; do
    tar -xzf "target/portable/pushcron-$version-linux-$arch.tar.gz" -C "$scratch"
    run=("$scratch/pushcron-$version-linux-$arch/bin/pushcron")
    [ "$arch" = "$(uname -m)" ] || run=("qemu-$arch-static" -L "/usr/$arch-linux-gnu" "${run[@]}")
    printf 'accounts: [{id: screen, im: console, sender: console}]\njobs: []\n' >"$scratch/$arch.yaml"
    said=$("${run[@]}" -c "$scratch/$arch.yaml" --db "$scratch/$arch.db" push --im console --group ops --text 早上好) ||
        fail "the push on $arch: $said"
    grep -q 早上好 <<<"$said" && [ "$(tail -1 <<<"$said")" = 1 ] || fail "the push on $arch: $said"
    history=$("${run[@]}" --db "$scratch/$arch.db" history --csv)
    grep -q ',sent,' <<<"$history" || fail "the history on $arch: $history"
done

# --- installing it ---------------------------------------------------------------------------------------------------------

tar -xzf "target/portable/pushcron-$version-linux-x86_64.tar.gz" -C "$scratch"
unpacked=$scratch/pushcron-$version-linux-x86_64
for round in first second; do
    DESTDIR=$scratch/root "$unpacked/install" >/dev/null || fail "the $round install"
    [ "$round" = second ] || echo '# mine' >>"$scratch/root/etc/pushcron/pushcron.yaml"
done
grep -qx '# mine' "$scratch/root/etc/pushcron/pushcron.yaml" || fail 'a configuration was written over'
grep -q '^ExecStart=/usr/local/bin/pushcron run$' "$scratch/root/etc/systemd/system/pushcron.service" || fail 'the unit starts another program'
"$scratch/root/usr/local/bin/pushcron" -c "$scratch/root/etc/pushcron" check >/dev/null || fail 'the configuration that comes with it is refused'
if command -v man >/dev/null; then
    for page in "$unpacked"/share/man/man*/*; do
        said=$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
        [ -z "$said" ] || fail "$(basename "$page"): $said"
    done
else
    skipped 'what man says of the pages, for want of man'
fi

# --- the RPM ---------------------------------------------------------------------------------------------------------------

if have rpmbuild rpm; then
    for arch in "${archs[@]}"; do
        rpm=$(systemd/rpm/build "$arch" 2>"$home/rpm.log") || fail "the RPM: $(tail -20 "$home/rpm.log")"
        rpm -qp --requires "$rpm" 2>/dev/null | sort -V >"$home/requires"
        rpm -qpl "$rpm" 2>/dev/null >"$home/contents"
        for path in /usr/bin/pushcron /etc/pushcron/pushcron.yaml /usr/lib/systemd/system/pushcron.service \
            /usr/share/man/man5/pushcron.yaml.5.gz /usr/share/licenses/pushcron/LICENSE-MIT; do
            grep -qx "$path" "$home/contents" || fail "$rpm lacks $path"
        done
        grep -q '^systemd >= 252$' "$home/requires" || fail "$rpm asks for $(cat "$home/requires")"
        rpm -qpc "$rpm" 2>/dev/null | grep -qx /etc/pushcron/pushcron.yaml || fail 'an upgrade would write over the configuration'
        echo "$(basename "$rpm"): $(grep -c . "$home/contents") files; $(grep GLIBC "$home/requires" | tail -1 | tr -d ' ')"
    done
    rpm --root "$scratch/rpm" --initdb
    rpm --root "$scratch/rpm" --install --nodeps --noscripts --ignorearch "target/rpm/RPMS/x86_64/pushcron-$version-1.x86_64.rpm" 2>"$home/rpm.log" ||
        fail "installing the RPM: $(cat "$home/rpm.log")"
    "$scratch/rpm/usr/bin/pushcron" --version
    [ "$(stat -c %a "$scratch/rpm/etc/pushcron/pushcron.yaml")" = 640 ] || fail 'everybody reads the configuration'
else
    skipped 'the RPM, for want of rpmbuild'
fi

# --- the Debian package ----------------------------------------------------------------------------------------------------

dpkg-parsechangelog -l systemd/debian/changelog -S Version >"$home/version" 2>"$home/changelog.log" ||
    skipped "systemd/debian/changelog is not read, for want of dpkg-dev"
[ ! -s "$home/version" ] || [ "$(cat "$home/version")" = "$version-1" ] ||
    fail "systemd/debian/changelog speaks of $(cat "$home/version"), and the package is $version-1"
. tests/systemd/debian.sh
cargo_deb
package=$(systemd/debian/build dev 2>"$home/deb.log") || fail "the Debian package: $(cat "$home/deb.log")"
dpkg-deb --contents "$package" >"$home/contents"
for path in README.md docs/README.md docs/CHANGELOG.md docs/SECURITY.md docs/senders/onebot11.md changelog.Debian.gz copyright \
    docs/clients/pushcron.py docs/clients/pushcron.js docs/containers/compose.yaml; do
    grep -q " ./usr/share/doc/pushcron/$path$" "$home/contents" || fail "the Debian package lacks $path"
done
if have lintian lintian; then
    # What is known and meant: a debug binary, no address to write to yet, nobody's bug number, scripts by hand since cargo-deb
    # knows no debhelper, a configuration that only the service reads, and a changelog under the name that pages link to.
    meant=(unstripped-binary-or-object bogus-mail-host bogus-mail-host-in-debian-changelog mail-address-loops-or-bounces
        initial-upload-closes-no-bugs maintainer-script-calls-systemctl non-standard-file-perm wrong-name-for-upstream-changelog)
    lintian --allow-root --fail-on error,warning --suppress-tags "$(IFS=,; echo "${meant[*]}")" "$package" ||
        fail "lintian on $package"
else
    skipped 'lintian on the Debian package'
fi
echo 'tarball, RPM and Debian package hold what they should'
