"""deploy/guide/user.md: a reader who types every command in it, in order, sees what it shows."""
import guide
import lab

GUIDE = guide.Guide("user.md")


def test_a_reader_sees_what_the_guide_shows(machine):
    local, centre = machine.ends(None)
    machine.cwd = machine.state
    machine.places |= {"http://127.0.0.1:7101": local.url, "http://127.0.0.1:7100": centre.url}

    def refuse_poison(refuse):
        machine.sh("systemctl stop tidemark-central")
        centre.store.refuse_poison(refuse)
        machine.sh("systemctl start tidemark-central")

    def refused():
        refuse_poison(True)
        local.write({"id": "juice", "type": "price", "body": "poison"})
        centre.in_sync()

    before = {"quarantine": refused, "quarantine-retry": lambda: refuse_poison(False)}
    assert before.keys() <= GUIDE.blocks.keys()
    for name in GUIDE.blocks:
        before.get(name, lambda: None)()
        machine.follow(GUIDE, name)
    centre.in_sync()
    assert lab.same_records(local, centre) == 4
