"""deploy/guide/admin.md: every command in it, in order, sets up a centre and a site with tokens and brings them through its changes."""
import json
import subprocess

import guide
import lab

GUIDE = guide.Guide("admin.md")


def test_an_administrator_sets_up_and_changes_everything_as_the_guide_says(machine, databases):
    centre, site, moved = (f"127.0.0.1:{guide.free_port()}" for _ in range(3))
    machine.places |= {"10.0.0.1:7100": centre, "10.0.1.5:7101": site, "10.0.1.6:7101": moved, "/mnt/new": machine.top / "new",
                       "/root/tidemark-ca": machine.top / "ca", "10.0.0.1": "127.0.0.1", "10.0.1.5": "127.0.0.1", "10.0.1.6": "127.0.0.1"}
    (machine.bin / "tidemark-certificates").symlink_to(lab.TOP / "deploy/certificates")
    (machine.top / "new").mkdir()
    machine.unit("tidemark-central")
    machine.unit("tidemark-local@shop-1")
    machine.env |= {"TIDEMARK_CENTRAL": f"https://{centre}", "TIDEMARK_TOKEN_FILE": str(machine.etc / "secret"), "TIDEMARK_TLS_CA": str(machine.etc / "ca.pem")}
    store = databases()

    def record():
        r = subprocess.run([lab.BIN / "tidemark", "record", "shop-1/first"], env=machine.env, capture_output=True, text=True, timeout=60)
        assert r.returncode == 0, r
        return json.loads(r.stdout)["body"]

    def the_new_machine_goes_on():
        machine.sh("rm /var/lib/tidemark-central/tidemark-central.db* /etc/tidemark/secret /etc/tidemark/central.conf /etc/tidemark/centre.* /etc/tidemark/ca.pem\n"
                   "cp -p /mnt/new/tidemark-central.db* /var/lib/tidemark-central\ncp -p /mnt/new/secret /mnt/new/central.conf /mnt/new/*.pem /mnt/new/centre.key /etc/tidemark\n"
                   "systemctl start tidemark-central")
        machine.sh("tidemark wait shop-1 --in-sync --timeout 1m")

    for name in GUIDE.blocks:
        machine.follow(GUIDE, name, STORE=store.url)
        if name == "move-centre":
            the_new_machine_goes_on()
        if name not in ("centre", "site"):
            assert record() == 1, name
    assert store.sql("SELECT body FROM tidemark.records WHERE owner = 'shop-1'") == ["1"]
