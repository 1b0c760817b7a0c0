# Sourced by the scripts beside it, from the top of the repository: a place under target/ with packages from PyPI.

# venv NAME PACKAGE…: sets `home` to target/real/NAME, with the packages in its venv, which are installed once.
venv() {
    home=target/real/$1
    [ -e "$home/installed" ] && return
    python3 -m venv "$home/venv"
    "$home/venv/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
    touch "$home/installed"
}
