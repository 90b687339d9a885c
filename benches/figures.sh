#!/usr/bin/env bash
# Measures the figures of the README with a built program: figures.sh PROGRAM [SHIPPED-PROGRAM]
set -euo pipefail
program=$(readlink -f "${1:-target/release/egress-lab}")
shipped=${2:-$program}
export EGRESS_LAB_HOME
EGRESS_LAB_HOME=$(mktemp -d)
trap 'rm -rf "$EGRESS_LAB_HOME"' EXIT
python3 - "$program" "$shipped" <<'PY'
import fcntl, os, pty, select, signal, statistics, struct, subprocess, sys, termios, time
program, shipped = sys.argv[1:]

def median(measure, runs=5):
    return statistics.median(measure() for _ in range(runs))

def first_frame():
    start = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
        os.environ['TERM'] = 'xterm-256color'
        os.execv(program, [program])
    seen, at = b'', None
    while time.monotonic() - start < 10:
        if select.select([fd], [], [], 0.5)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
            if b'egress' in seen.lower():
                at = time.monotonic() - start
                break
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    os.close(fd)
    if at is None:
        raise SystemExit('first frame: nothing recognisable was drawn')
    return at * 1000

def sandbox_ready():
    start = time.monotonic()
    process = subprocess.Popen([program, 'sandbox', '--instant'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    process.stdout.readline()
    at = time.monotonic() - start
    process.terminate()
    process.wait()
    return at * 1000

def timed(*words):
    def run():
        start = time.monotonic()
        done = subprocess.run([program, *words], stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            raise SystemExit(f'{words}: exit {done.returncode}')
        return time.monotonic() - start
    return run

def resident():
    process = subprocess.Popen([program, 'run', 'control-external-egress'], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss / 1024

print(f'first frame            {median(first_frame):7.0f} ms   (budget 100)')
print(f'sandbox ready          {median(sandbox_ready):7.0f} ms   (budget 50)')
print(f'whole lesson, headless {median(timed("run", "control-external-egress"), 3):7.2f} s    (budget 2)')
print(f'prove                  {median(timed("prove"), 1):7.1f} s    (budget 60)')
print(f'resident memory        {resident():7.0f} MB   (budget 80; the whole lesson, headless)')
print(f'program                {os.path.getsize(shipped) / 1e6:7.1f} MB   (budget 20, --profile dist)')
PY
