# Sourced by scripts that need the Rust standard library of another architecture, where rustup cannot fetch it.

# debian_rust HOME ARCH: unpacks Debian's newest compiler (rustc-web, which Debian keeps for its browsers) with the standard
# library of this machine and of ARCH under HOME, and prints a rustc to call. Nothing is installed.
debian_rust() {
    local home=$1 arch=$2 own apt package
    own=$(dpkg --print-architecture)
    if [ ! -x "$home/rustc" ]; then
        mkdir -p "$home/lists/partial" "$home/cache/archives/partial" "$home/debs"
        apt=(-o "APT::Architectures::=$own" -o "APT::Architectures::=$arch" -o "Dir::State::lists=$home/lists"
            -o "Dir::Cache=$home/cache" -o APT::Sandbox::User=root)
        apt-get "${apt[@]}" update >"$home/apt.log" 2>&1
        local library llvm
        library=$(apt-cache "${apt[@]}" depends libstd-rust-web-dev | sed -n 's/.*Depends: \(libstd-rust-web-[0-9.]*\)$/\1/p')
        llvm=$(apt-cache "${apt[@]}" depends "$library" | sed -n 's/.*Depends: \(libllvm[0-9]*\)$/\1/p')
        (cd "$home/debs" && apt-get "${apt[@]}" download rustc-web "$library" "$llvm" libstd-rust-web-dev \
            "libstd-rust-web-dev:$arch" >>"$home/apt.log" 2>&1)
        for package in "$home"/debs/*.deb; do
            dpkg --extract "$package" "$home/root"
        done
        # Build scripts are compiled without the flags of the target, so that a flag would not reach them.
        cat >"$home/rustc" <<SH
#!/bin/sh
LD_LIBRARY_PATH=$home/root/usr/lib/$(uname -m)-linux-gnu exec $home/root/usr/bin/rustc --sysroot $home/root/usr "\$@"
SH
        chmod +x "$home/rustc"
    fi
    echo "$home/rustc"
}
