"""What is in dist/: the systemd unit is one that systemd takes, and names this program; the install puts it in its place."""

import pathlib
import re
import shutil
import subprocess

from toolbox import Skip

DIST = pathlib.Path(__file__).resolve().parents[2] / "dist"


def test_unit(t):
    if not shutil.which("systemd-analyze"):
        raise Skip("systemd-analyze is not installed")
    text = (DIST / "millrace.service").read_text().replace("/usr/local/bin/millrace", t.millrace)
    unit = t.write("millrace.service", text, 0o644)
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, timeout=60)
    said = [line for line in done.stderr.decode().splitlines() if "millrace" in line]
    assert done.returncode == 0 and not said, (done.returncode, said)


def test_options_in_dist(t):
    """Every option that is named there is one."""
    options = set(re.findall(r"^  --([a-z-]+)", t.run("serve", "--help")[0], re.M))
    for name in ("millrace.service", "Containerfile"):
        named = set(re.findall(r"(?<= |\")--([a-z-]+)", (DIST / name).read_text()))
        named -= {"help", "system", "create-home", "home-dir", "no-install-recommends", "from", "shell"}  # of other programs
        assert named and named <= options, (name, named - options)
    codes = set(re.search(r"RestartPreventExitStatus=(.*)", (DIST / "millrace.service").read_text()).group(1).split())
    assert codes <= set(re.findall(r"^  (\d+) ", t.run("serve", "--help")[0], re.M)), codes
