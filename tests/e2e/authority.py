"""A private certificate authority, made by deploy/certificates, and certificates that are wrong in one way each."""
import pathlib
import subprocess

import lab


class Authority:
    """`files(name)` are the options that serve with that certificate, `shown(name)` those that show it to nodes."""

    def __init__(self, directory, name="ca"):
        self.directory = pathlib.Path(directory) / name
        self.ca = self.directory / "ca.pem"

    def make(self, *words, days=30, at=None):
        """As deploy/certificates takes them; `at`: on another day, such as +100d."""
        command = [lab.TOP / "deploy/certificates", "--days", str(days), self.directory, *words]
        subprocess.run([*(["faketime", "-f", at] if at else []), *command], check=True, capture_output=True)
        lab.believe(self.ca)
        return self

    def self_signed(self, name):
        self.directory.mkdir(exist_ok=True)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-keyout", self.key(name), "-out", self.pem(name), "-subj", f"/CN={name}", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        return self

    def pem(self, name):
        return self.directory / f"{name}.pem"

    def key(self, name):
        return self.directory / f"{name}.key"

    def files(self, name):
        return ["--tls-certificate", self.pem(name), "--tls-key", self.key(name)]

    def shown(self, name):
        return ["--tls-client-certificate", self.pem(name), "--tls-client-key", self.key(name)]
