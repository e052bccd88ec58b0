"""A real Prometheus, and its promtool."""
import json
import pathlib
import re
import signal
import subprocess
import urllib.parse

import lab

RULES = lab.TOP / "deploy" / "prometheus"


def promtool(*args, text=None, cwd=RULES):
    """Must agree, without a word of complaint."""
    r = subprocess.run(["promtool", *args], input=text, capture_output=True, text=True, cwd=cwd, timeout=60)
    assert r.returncode == 0, r.stdout + r.stderr
    return r


def samples(program):
    """What /metrics says, which promtool finds well made: {(name, ((label, value)…)): number}."""
    r = program.get("/metrics")
    assert r.status == 200 and r.headers["Content-Type"].startswith("text/plain; version=0.0.4"), r.body
    text = r.body.decode()
    assert not promtool("check", "metrics", text=text).stderr
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line).groups()
            key = (name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels or ""))))
            assert key not in found, line
            found[key] = float(value)
    return found


def sample(program, name, **labels):
    """One of them; None when it is not given."""
    return samples(program).get((name, tuple(sorted(labels.items()))))


class Prometheus(lab.Program):
    """Scrapes quickly, with the rules of deploy/prometheus."""

    def __init__(self, directory, centre, locals_):
        super().__init__(directory, "prometheus")
        jobs = {"tidemark-central": [centre], "tidemark-local": locals_}
        config = {
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
            "rule_files": [str(RULES / "tidemark.rules.yml")],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [urllib.parse.urlsplit(p.url).netloc for p in programs]}]}
                               for job, programs in jobs.items()]}
        self.config = self.directory / "prometheus.yml"
        self.config.write_text(json.dumps(config))  # JSON is YAML

    def argv(self):
        return ["prometheus", f"--config.file={self.config}", f"--storage.tsdb.path={self.directory / 'prometheus'}",
                "--web.listen-address=127.0.0.1:0", "--storage.tsdb.retention.time=1h"]

    def listens(self):
        def said():
            assert self.process.poll() is None, self.log_text()
            return "Server is ready" in self.log_text() and re.search(r'"Listening on" address=(\S+)', self.log_text())

        self.url = "http://" + lab.wait_until("Prometheus listens", said).group(1)
        return self

    def query(self, expression):
        """An instant vector as {labels: number}."""
        r = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression})).json
        assert r["status"] == "success", r
        return {tuple(sorted((k, v) for k, v in x["metric"].items() if k != "__name__")): float(x["value"][1]) for x in r["data"]["result"]}

    def alerts(self):
        """{(alert, node): its sentence} of those pending or firing."""
        return {(a["labels"]["alertname"], a["labels"].get("node")): a["annotations"]["summary"]
                for a in self.get("/api/v1/alerts").json["data"]["alerts"]}

    def targets(self):
        return [(t["labels"]["job"], t["health"]) for t in self.get("/api/v1/targets").json["data"]["activeTargets"]]


def rules():
    import yaml
    groups = yaml.safe_load(pathlib.Path(RULES / "tidemark.rules.yml").read_text())["groups"]
    return [r for g in groups for r in g["rules"]]


def end(program):
    program.process.send_signal(signal.SIGTERM)
    program.process.wait(10)
