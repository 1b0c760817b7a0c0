#!/usr/bin/env bash
# The unit and the Debian package under a real systemd: a Debian in systemd-nspawn, the package installed into it, and
# every promise of the unit tried. The Debian is made once (target/nspawn/base) and never changed: each run works on a
# copy. What is typed and what came back is printed, so that the output is also a walk through the daily work.
#
#   tests/systemd/run.sh             # with the debug binary
#   tests/systemd/run.sh release     # with a release build
set -euo pipefail
cd "$(dirname "$0")/../.."
profile=${1:-dev}
home=$PWD/target/nspawn
mkdir -p "$home"

skip() {
    echo "SKIPPED: $*" >&2
    exit 0
}

fail() {
    echo "FAILED: $*" >&2
    if [ -n "${nspawn:-}" ]; then
        within journalctl --unit=pushcron --no-pager -n 40 >&2 || true
    fi
    exit 1
}

# --- what systemd itself says of the unit ------------------------------------------------------------------------------

command -v systemd-analyze >/dev/null || skip 'the unit is not looked at, for want of systemd-analyze'
[ "$profile" = release ] || cargo build --locked --quiet
binary=$PWD/target/$([ "$profile" = dev ] && echo debug || echo "$profile")/pushcron

nspawn=
scratch=$(mktemp -d "$home/scratch.XXXXXX")
clean_up() {
    if [ -n "$nspawn" ] && kill -0 "$nspawn" 2>/dev/null; then
        kill "$nspawn" 2>/dev/null || true
        wait "$nspawn" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap clean_up EXIT

# `verify` ends well whatever it finds, so that silence is what counts. The man page is looked for after installation.
verify() {
    mkdir -p "$scratch/units/pushcron.service.d"
    sed "s|/usr/bin/pushcron|$binary|" systemd/pushcron.service >"$scratch/units/pushcron.service"
    rm -f "$scratch"/units/pushcron.service.d/*
    for drop_in in "$@"; do
        sed "s|/usr/bin/pushcron|$binary|" "$drop_in" >"$scratch/units/pushcron.service.d/$(basename "$drop_in")"
    done
    found=$(systemd-analyze verify --man=no "$scratch/units/pushcron.service" 2>&1) || true
    [ -z "$found" ] || fail "systemd-analyze verify with '$*': $found"
}
verify
systemd=$(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
for drop_in in systemd/pushcron.service.d.examples/*.conf; do
    if [ "$(basename "$drop_in")" = notify-reload.conf ] && [ "$systemd" -lt 253 ]; then
        echo "SKIPPED: $drop_in, which takes systemd 253 (here is $systemd)" >&2
    else
        verify "$drop_in"
    fi
done
systemd-analyze security --offline=true --threshold=11 systemd/pushcron.service >"$scratch/security" ||
    fail "the unit is too open: $(tail -1 "$scratch/security")"
tail -1 "$scratch/security"

# --- a Debian of our own -----------------------------------------------------------------------------------------------

[ "$(id -u)" = 0 ] || skip 'the unit is not run, since only root can start a system'
command -v systemd-nspawn >/dev/null || (apt-get update && apt-get install -y --no-install-recommends systemd-container) \
    >"$home/apt.log" 2>&1 || skip "the unit is not run, for want of systemd-nspawn (see $home/apt.log)"
. tests/systemd/debian.sh
debian "$home" || skip "the unit is not run, since there is no Debian to run it in (see the logs in $home)"
cargo_deb
package=$(systemd/debian/build "$profile" 2>"$scratch/package.log") || fail "the package: $(cat "$scratch/package.log")"

systemd-nspawn --quiet --directory="$home/base" --ephemeral --boot --register=no --keep-unit --private-network \
    --machine="pushcron-$$" --console=pipe --bind-ro="$(dirname "$package"):/mnt" </dev/null >"$home/boot.log" 2>&1 &
nspawn=$!

until_true() { # LABEL COMMAND…: within a minute, or the test has failed
    local label=$1
    shift
    for _ in $(seq 240); do
        if "$@" >/dev/null 2>&1; then return; fi
        kill -0 "$nspawn" 2>/dev/null || skip "the unit is not run, since systemd-nspawn does not work here: $(cat "$home/boot.log")"
        sleep 0.25
    done
    fail "$label did not come about"
}

leader() { pgrep --parent "$nspawn" | head -1; }
within() { nsenter --target "$(leader)" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
shell() { within sh -c "$1"; }

# As a person types it, with what comes back; `#! ` where it is refused.
type_in() {
    printf '\n# %s\n' "$1"
    shell "$1" 2>&1 || fail "'$1' ended with $?"
}
refused() {
    local status=0
    printf '\n# %s\n' "$1"
    shell "$1" 2>&1 || status=$?
    [ "$status" -ne 0 ] || fail "'$1' was not refused"
    printf '(exit %s)\n' "$status"
}
says() { grep -qE "$1" <<<"$(shell "$2" 2>&1 || true)"; } # PATTERN COMMAND
must_say() { says "$1" "$2" || fail "'$2' does not say '$1': $(shell "$2" 2>&1 | tail -20)"; }
property() { within systemctl show --value --property "$1" pushcron; }
has() { [ "$(property "$1")" = "$2" ]; }

until_true 'the boot' within systemctl is-system-running
[ "$(within cat /proc/1/comm)" = systemd ] || fail 'systemd does not run'

# --- installing --------------------------------------------------------------------------------------------------------

type_in 'dpkg -i /mnt/pushcron_*.deb'
type_in 'ls -ld /etc/pushcron /etc/pushcron/* /usr/share/man/man1/pushcron.1*'
must_say '^750 root pushcron$' 'stat -c "%a %U %G" /etc/pushcron'
must_say '^640 root pushcron$' 'stat -c "%a %U %G" /etc/pushcron/pushcron.yaml'
must_say '^700 root root$' 'stat -c "%a %U %G" /etc/pushcron/tokens'
has ActiveState inactive || fail 'the package started the daemon'
[ -z "$(shell 'systemd-analyze verify --man=no pushcron.service 2>&1')" ] || fail 'the installed unit does not verify'
type_in 'pushcron check'

# --- a job, and a wrong key --------------------------------------------------------------------------------------------

write_jobs() { # TEXT
    within tee /etc/pushcron/jobs.yaml >/dev/null <<<"$1"
    shell 'chown root:pushcron /etc/pushcron/jobs.yaml; chmod 640 /etc/pushcron/jobs.yaml'
}
job='jobs:
  - name: tick
    every: 1s
    push: {im: console, group: ops, text: good morning}'
write_jobs "${job/text:/tezt:}"
type_in 'cat /etc/pushcron/jobs.yaml'
refused 'pushcron check'
must_say 'jobs\.yaml:4:' 'pushcron check 2>&1'
write_jobs "$job"

# --- starting, and a credential ----------------------------------------------------------------------------------------

# A signing key that only systemd can read; nobody listens at the address, which nothing pushes to yet.
shell 'printf whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw >/etc/pushcron/tokens/hook; chmod 600 /etc/pushcron/tokens/hook'
within tee /etc/pushcron/accounts.yaml >/dev/null <<'YAML'
accounts:
  - id: hook
    im: hook
    sender: webhook
    url: http://127.0.0.1:8099/hook
    secret_credential: tokens_hook
    concurrency: 50
YAML
type_in 'pushcron check'
must_say 'secret_credential: not looked at' 'pushcron check 2>&1'
type_in 'systemctl start pushcron'
has ActiveState active || fail 'it is not active'
until_true 'a push' says 'good morning' 'journalctl -u pushcron -o cat'
type_in 'systemctl status --no-pager -n 0 pushcron'
must_say 'Status: "2 jobs, next fire .* open pushes, .* accounts offline"' 'systemctl status --no-pager pushcron'
type_in 'journalctl -u pushcron --no-pager -o short | head -12'
must_say 'pushcron .* started' 'journalctl -u pushcron -o cat'
must_say '^400 ' 'stat -c "%a %U" /run/credentials/pushcron.service/tokens_hook'
must_say '^[0-9a-f]{32}$' 'head -c 32 /var/lib/pushcron/pushcron.db.flights'
must_say '^600 pushcron$' 'stat -c "%a %U" /var/lib/pushcron/pushcron.db'

# --- from the tutorial to the service -------------------------------------------------------------------------------------

# A variable that only the unit knows: docs/operating.md, "From the tutorial to the service".
within tee /etc/pushcron/tutorial.yaml >/dev/null <<'YAML'
accounts:
  - {id: tutor, im: tutor, sender: webhook, url: "http://127.0.0.1:8098/", secret: "${TUTOR_SECRET}"}
jobs:
  - {name: lesson, cron: "0 0 1 1 *", push: {im: tutor, group: g, text: "lesson of ${TUTOR_NAME}"}}
YAML
refused 'pushcron check'
must_say 'environment variable TUTOR_SECRET is not set' 'pushcron check 2>&1'
refused 'systemctl restart pushcron'
has ExecMainStatus 78 || fail "an unset variable: $(property ExecMainStatus)"
type_in 'pushcron next lesson -n 1'
refused 'pushcron push --im console --user me --text early'
must_say 'no daemon runs, and what these accounts are given cannot be seen from here: .*tutor' \
    'pushcron push --im console --user me --text early 2>&1'
type_in 'install -m 600 /dev/null /etc/pushcron/environment'
shell 'printf "TUTOR_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nTUTOR_NAME=today\n" >>/etc/pushcron/environment'
type_in 'systemctl restart pushcron'
# Root's shell still knows neither the variable nor the credential.
for verb in 'next lesson -n 1' 'jobs' 'history --limit 2' 'status' 'accounts --probe' 'explain lesson 2020-01-01T00:00' \
    'pause lesson' 'resume lesson'; do
    type_in "pushcron $verb"
done
type_in 'pushcron push --im console --user me --text "by hand"'
until_true 'the push by hand' says 'by hand' 'journalctl -u pushcron -o cat'
refused 'pushcron check'
type_in 'set -a; . /etc/pushcron/environment; set +a; pushcron check'
type_in 'systemctl reload pushcron'
must_say '^600 root$' 'stat -c "%a %U" /etc/pushcron/environment'

printf '\n=== files that are watched\n'
within tee /etc/pushcron/watch.yaml >/dev/null <<<'daemon: {reload: watch}'
type_in 'systemctl reload pushcron'
shell 'sed -i "s/name: lesson/name: homework/" /etc/pushcron/tutorial.yaml'
until_true 'a changed file' says 'homework' 'pushcron jobs'
shell 'sed -i "s/name: homework/nam: homework/" /etc/pushcron/tutorial.yaml'
until_true 'a refused file' says 'REFUSED' 'pushcron status'
refused 'pushcron status --strict'
shell 'rm /etc/pushcron/tutorial.yaml /etc/pushcron/watch.yaml /etc/pushcron/environment'
until_true 'mended files' says 'files +loaded' 'pushcron status'

# --- reloading ---------------------------------------------------------------------------------------------------------

pid=$(property MainPID)
write_jobs "$job
  - name: daily
    cron: '0 9 * * *'
    push: {im: console, group: ops, text: today}"
type_in 'systemctl reload pushcron'
until_true 'the reload' says 'definitions changed.*added=1' 'journalctl -u pushcron -o cat'
write_jobs "$job
  - name: daily
    cron: '0 25 * * *'
    push: {im: console, group: ops, text: today}"
refused 'systemctl reload pushcron'
type_in 'journalctl -u pushcron --no-pager -o cat | grep -A3 jobs.yaml'
must_say 'jobs\.yaml:6:' 'journalctl -u pushcron -o cat'
[ "$(property MainPID)" = "$pid" ] && has ActiveState active || fail 'a refused reload touched the daemon'
pushes() { shell 'pushcron history --json --limit 1' | sed -n 's/.*"id": *\([0-9]*\).*/\1/p' | head -1; }
before=$(pushes)
more_pushes() { [ "$(pushes)" -gt "$before" ]; }
until_true 'pushing after a refused reload' more_pushes
write_jobs "$job"
type_in 'systemctl reload pushcron'

# --- history, three ways -----------------------------------------------------------------------------------------------

type_in 'pushcron history --state sent --limit 3'
type_in 'pushcron history --json --state sent --limit 1'
type_in "sqlite3 /var/lib/pushcron/pushcron.db 'SELECT state, count(*) FROM pushes GROUP BY state'"
must_say '^sent\|[0-9]+$' "sqlite3 /var/lib/pushcron/pushcron.db 'SELECT state, count(*) FROM pushes GROUP BY state'"

# --- dying and hanging -------------------------------------------------------------------------------------------------

printf '\n=== kill -9\n'
within systemctl kill --signal=KILL --kill-who=main pushcron
restarted() { has NRestarts "$1" && has ActiveState active && [ "$(property MainPID)" != "$pid" ]; }
until_true 'a restart after kill -9' restarted 1
must_say 'status=9/KILL' 'journalctl -u pushcron -o cat'

printf '\n=== a hung process (SIGSTOP)\n'
shell 'mkdir -p /run/systemd/system/pushcron.service.d
       printf "[Service]\nWatchdogSec=4\n" >/run/systemd/system/pushcron.service.d/test.conf; systemctl daemon-reload'
within systemctl restart pushcron
pid=$(property MainPID)
# Under load the watchdog must be fed for longer than its limit before anything is wrong.
before=$(pushes)
enough_pushes() { [ "$(pushes)" -gt $((before + 6)) ]; }
until_true 'six seconds without a watchdog' enough_pushes
has NRestarts 0 || fail 'a healthy daemon was killed by the watchdog'
within systemctl kill --signal=STOP --kill-who=main pushcron
until_true 'a restart by the watchdog' restarted 1
must_say 'Watchdog timeout' 'journalctl -u pushcron -o cat'
shell 'rm /run/systemd/system/pushcron.service.d/test.conf; systemctl daemon-reload'

# --- stopping under load -----------------------------------------------------------------------------------------------

printf '\n=== a stop with slow targets\n'
# It listens and takes nothing: the kernel completes the connections, and no answer ever comes.
within systemd-run --quiet --unit=slow systemd-socket-activate --listen=127.0.0.1:8099 /bin/sleep 1000
write_jobs "$job
$(for n in $(seq 30); do echo "  - {name: slow$n, every: 1s, push: {im: hook, group: g, text: slow, timeout: 60s}}"; done)"
type_in 'systemctl reload pushcron'
in_flight() { [ "$(shell "sqlite3 /var/lib/pushcron/pushcron.db \"SELECT count(*) FROM pushes WHERE state = 'sending' AND im = 'hook'\"")" -ge 50 ]; }
until_true '50 sends under way' in_flight
started=$SECONDS
type_in 'systemctl stop pushcron'
took=$((SECONDS - started))
echo "(stopped in $took s)"
[ "$took" -lt 30 ] && has Result success && has ExecMainStatus 0 || fail "the stop took $took s and ended with $(property Result)"
unknown=$(shell "sqlite3 /var/lib/pushcron/pushcron.db \"SELECT count(*) FROM pushes WHERE state = 'unknown' AND im = 'hook'\"")
[ "$unknown" -ge 10 ] || fail "$unknown pushes are unknown after the stop"
must_say '^0$' "sqlite3 /var/lib/pushcron/pushcron.db \"SELECT count(*) FROM pushes WHERE state = 'sending'\""

# --- a configuration that cannot be -------------------------------------------------------------------------------------

printf '\n=== exit 78\n'
write_jobs 'jobs: [{name: broken}]'
refused 'systemctl start pushcron'
# With a restart under way it would be `activating`.
has ActiveState failed && has ExecMainStatus 78 && has NRestarts 0 ||
    fail "$(within systemctl show pushcron -p ActiveState -p ExecMainStatus -p NRestarts)"
type_in 'journalctl -u pushcron --no-pager -o cat -n 6'

# --- upgrading and removing ----------------------------------------------------------------------------------------------

printf '\n=== an upgrade, and the end\n'
write_jobs "$job"
shell 'systemctl reset-failed pushcron; systemctl start pushcron'
pid=$(property MainPID)
shell 'dpkg -i /mnt/pushcron_*.deb >/dev/null'
[ "$(property MainPID)" != "$pid" ] && has ActiveState active || fail 'an upgrade does not restart the daemon'
must_say '^640 root pushcron$' 'stat -c "%a %U %G" /etc/pushcron/pushcron.yaml'
type_in 'dpkg --purge pushcron'
shell '! test -e /var/lib/pushcron && ! test -e /usr/bin/pushcron && ! test -e /etc/pushcron/pushcron.yaml' || fail 'a purge leaves things behind'
within systemctl poweroff
wait "$nspawn" || true
nspawn=
printf '\nall well\n'
