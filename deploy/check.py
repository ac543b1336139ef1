"""Lint the files of deploy/ with the tools that are installed: make deploy-check."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DEPLOY = Path(__file__).parent
BIN = Path(sys.executable).parent
PATH = os.pathsep.join([str(BIN), os.environ["PATH"], "/usr/sbin"])
UNITS = ("boxfind-page@8501.service", "boxfind-api.service", "boxfind-build.service", "boxfind-build.timer")
EXPOSURE = 25
"""Highest score that `systemd-analyze security` may give, of 100."""


def main() -> None:
    """Prints each result and exits with 1 if a check failed."""
    passed = [
        _passes("hadolint", "--failure-threshold", "style", "Dockerfile"),
        _passes("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml", "compose.cuda.yaml"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        passed += [_check_nginx(Path(folder)), _check_units(Path(folder))]
    sys.exit(not all(passed))


def _passes(*command: str) -> bool:
    """Run a command in deploy/ and print the result. A program that is not installed counts as passed."""
    line = " ".join(command)
    if shutil.which(command[0], path=PATH) is None:
        print(f"skipped, {command[0]} is not installed: {line}", flush=True)
        return True
    environment = {**os.environ, "PATH": PATH}
    done = subprocess.run(command, cwd=DEPLOY, env=environment, capture_output=True, text=True, check=False)
    passed = done.returncode == 0 and "boxfind-" not in done.stderr  # systemd-analyze exits with 0 after a warning
    print(f"ok: {line}" if passed else f"FAILED: {line}\n{done.stdout}{done.stderr}", flush=True)
    return passed


def _check_nginx(folder: Path) -> bool:
    """`nginx -t` without root and without a certificate: sockets in the folder replace the ports."""
    server = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    server = re.sub(r"\blisten (\d+).*;", rf"listen unix:{folder}/\1.sock;", server)
    server = re.sub(r"\bssl_certificate.*;", "", server)
    (folder / "server.conf").write_text(server, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    http = "".join(f"{kind}_temp_path {folder}; " for kind in kinds) + f"access_log off; include {folder}/server.conf;"
    main_file = folder / "nginx.conf"
    main_file.write_text(f"pid {folder}/pid; events {{}} http {{ {http} }}", encoding="utf-8")
    return _passes("nginx", "-t", "-q", "-e", "stderr", "-p", str(folder), "-c", str(main_file))


def _check_units(folder: Path) -> bool:
    """`systemd-analyze verify` and `security`, with the programs of this environment."""
    units = folder / "systemd"
    shutil.copytree(DEPLOY / "systemd", units)
    for unit in units.glob("*.service"):
        unit.write_text(unit.read_text(encoding="utf-8").replace("/opt/boxfind/.venv/bin", str(BIN)), encoding="utf-8")
    os.environ["SYSTEMD_UNIT_PATH"] = f"{units}:"  # these units, then those of the system
    security = ("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}")
    passed = [_passes("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name) for name in UNITS]
    passed += [_passes("systemd-analyze", *security, str(units / name)) for name in UNITS if name.endswith(".service")]
    return all(passed)


if __name__ == "__main__":
    main()
