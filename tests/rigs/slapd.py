"""OpenLDAP's server on loopback ports, plain and with TLS, over a small directory of people and groups."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.rigs.poll import until
from tests.rigs.systems import free_port

BASE = "dc=example,dc=org"
PEOPLE = f"ou=people,{BASE}"
READER, READER_PASSWORD = f"cn=reader,{BASE}", "only looks people up"
STAFF, ADMINS = f"cn=staff,ou=groups,{BASE}", f"cn=admins,ou=groups,{BASE}"
#: Everybody's password by the name that they log in with.
PASSWORDS = {"alice": "wonder*land", "bob": "the builder", "mallory": "let me in"}

# Nobody but the reader may search, and people see themselves and the groups: as in most institutions.
_CONFIG = """\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/nis.schema
include {schema}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {directory}/slapd.pid
TLSCertificateFile {directory}/certificate.pem
TLSCertificateKeyFile {directory}/key.pem
database mdb
maxsize 104857600
suffix "{base}"
rootdn "cn=admin,{base}"
directory {directory}/db
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=groups,{base}" by users read by * none
access to * by dn.exact="{reader}" read by self read by anonymous auth by users search
"""


def find_slapd() -> str | None:
    """Return where slapd and its tools are; None when they are not installed."""
    return shutil.which("slapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Slapd:
    """One LDAP server; as a context manager it owns its process and leaves no file outside `directory`."""

    def __init__(self, program: str, directory: Path) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.certificate = directory / "certificate.pem"
        self._program = program
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Slapd:
        (self._directory / "db").mkdir(parents=True)
        make_certificate(self.certificate, self._directory / "key.pem")
        config, tree = self._directory / "slapd.conf", self._directory / "tree.ldif"
        places = {"schema": "/etc/ldap/schema", "directory": self._directory}
        config.write_text(_CONFIG.format(base=BASE, reader=READER, **places))
        tree.write_text(_tree())
        loader = str(Path(self._program).with_name("slapadd"))
        subprocess.run([loader, "-q", "-f", config, "-l", tree], check=True, capture_output=True)
        listen = f"ldap://127.0.0.1:{self.port} ldaps://127.0.0.1:{self.tls_port}"
        with (self._directory / "slapd.log").open("wb") as log:
            command = [self._program, "-d0", "-f", str(config), "-h", listen]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until((self._directory / "slapd.pid").exists, "slapd to listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


def make_certificate(certificate: Path, key: Path) -> None:
    """Write a new certificate of this machine, signed by itself and good for a day, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    private_form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, *private_form))


def _tree() -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example",
        f"dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people",
        f"dn: ou=groups,{BASE}\nobjectClass: organizationalUnit\nou: groups",
        f"dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {READER_PASSWORD}",
        *map(_person, PASSWORDS),
        f"dn: {STAFF}\nobjectClass: groupOfNames\ncn: staff\n"
        f"member: uid=alice,{PEOPLE}\nmember: uid=bob,{PEOPLE}",
        f"dn: {ADMINS}\nobjectClass: groupOfNames\ncn: admins\nmember: uid=alice,{PEOPLE}",
    ]
    return "\n\n".join(entries) + "\n"


def _person(name: str) -> str:
    return (
        f"dn: uid={name},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name.title()} Example\n"
        f"sn: Example\nmail: {name}@example.org\nuserPassword: {PASSWORDS[name]}"
    )


if __name__ == "__main__":  # for trying out configurations by hand
    with Slapd(find_slapd() or "slapd", Path(sys.argv[1])) as running:
        print(f"ldap://127.0.0.1:{running.port} ldaps://127.0.0.1:{running.tls_port}")
        input()
