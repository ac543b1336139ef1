"""Look for known vulnerabilities of the pinned packages: make audit."""

import json
import subprocess
import sys
from pathlib import Path

PINS = Path(__file__).parents[1] / "requirements" / "constraints.txt"
COMMAND = ("-m", "pip_audit", "--requirement", str(PINS), "--no-deps", "--disable-pip", "--progress-spinner", "off")
FOUND, INCOMPLETE = 1, 2
"""Exit codes."""


def main() -> None:
    """Prints the result; exits with FOUND, with INCOMPLETE if a package could not be audited, or with 0."""
    done = subprocess.run([sys.executable, *COMMAND, "--format", "json"], capture_output=True, text=True, check=False)
    message, code = verdict(done.stdout, done.stderr)
    print(message)
    sys.exit(code)


def verdict(report: str, errors: str) -> tuple[str, int]:
    """Return the message and the exit code for the JSON report of pip-audit and its standard error."""
    try:
        packages = json.loads(report)["dependencies"]
    except ValueError:
        reason = (errors.strip().splitlines() or ["pip-audit gave no report"])[-1]
        return f"Nothing was audited, because the vulnerability data cannot be reached: {reason}", INCOMPLETE
    # pip-audit itself exits with 0 when it knows nothing about any package, for example at a mirror without this data.
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return "Nothing was audited, because the package index has no vulnerability data.", INCOMPLETE
    found = [_vulnerability(package, one) for package in packages for one in package.get("vulns", ())]
    lines = [*found, f"{len(packages) - len(skipped)} packages audited, known vulnerabilities: {len(found)}."]
    if skipped:
        lines.append(f"Not audited, because the package index has no data about them: {', '.join(skipped)}.")
    return "\n".join(lines), FOUND if found else INCOMPLETE if skipped else 0


def _vulnerability(package: dict[str, str], found: dict[str, list[str]]) -> str:
    fixed = ", ".join(found["fix_versions"]) or "no version yet"
    return f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


if __name__ == "__main__":
    main()
