"""`make audit`: what is said of the report of pip-audit."""

import json

from deploy.audit import FOUND, INCOMPLETE, verdict

CLEAN = {"name": "pillow", "version": "13.0.0", "vulns": []}
VULNERABLE = {
    "name": "requests",
    "version": "2.34.2",
    "vulns": [{"id": "CVE-2026-1", "fix_versions": ["2.34.3"]}, {"id": "CVE-2026-2", "fix_versions": []}],
}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited: torch (2.13.0)"}


def report(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_no_vulnerabilities():
    assert verdict(report(CLEAN), "") == ("1 packages audited, known vulnerabilities: 0.", 0)


def test_vulnerabilities_are_listed_with_the_version_that_fixes_them():
    message, code = verdict(report(CLEAN, VULNERABLE), "")
    assert code == FOUND
    assert "requests 2.34.2: CVE-2026-1, fixed in 2.34.3" in message
    assert "requests 2.34.2: CVE-2026-2, fixed in no version yet" in message


def test_packages_that_were_not_audited_are_not_called_safe():
    message, code = verdict(report(CLEAN, UNKNOWN), "")
    assert code == INCOMPLETE
    assert "torch" in message and "Not audited" in message


def test_a_package_index_without_vulnerability_data_is_said():
    message, code = verdict(report(UNKNOWN), "")
    assert (message, code) == ("Nothing was audited, because the package index has no vulnerability data.", INCOMPLETE)


def test_vulnerability_data_that_cannot_be_reached_is_said():
    message, code = verdict("", "Traceback\nConnectionError: no route to the server\n")
    assert code == INCOMPLETE
    assert message.startswith("Nothing was audited") and message.endswith("no route to the server")
