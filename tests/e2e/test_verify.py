"""`verify` finds what was changed beneath either program: rows, hashes, single bytes that no database notices."""
import json

import pytest

import lab


def verify(centre, *options):
    r = centre.tool("--timeout", "30s", "verify", "a", *options, check=False)
    return r.returncode, r.stdout + r.stderr


def filled(site, n=20):
    a = site.local("a")
    centre = site.centre(a)
    a.write(*({"id": f"r{i}", "body": f"good {i}"} for i in range(n)))
    centre.in_sync("a")
    return a, centre


def at_local(a, statement):
    a.stop()
    lab.sql(a.db, statement)
    a.start()


def at_centre(centre, sqlite, postgres=None):
    """Beneath the centre; in PostgreSQL the table has another name, and the body is no text."""
    centre.stop()
    if centre.store.kind == "postgresql":
        centre.store.sql(postgres or sqlite.replace("records", "tidemark_store.records"))
    else:
        centre.store.sql(sqlite)
    centre.start()


@pytest.mark.both_stores
def test_equal_is_said_with_what_was_looked_at(site):
    a, centre = filled(site)
    assert verify(centre) == (0, "a: equal, 20 records summed and hashed anew at both ends\n")
    said = json.loads(centre.tool("--json", "verify", "a").stdout)
    assert said["equal"] is True and said["records"] == 20 and said["damaged"] == {
        "centre": 0, "centre_ids": [], "node": 0, "node_first": None}
    counted = centre.node("a")["counted"]
    assert counted["damaged"] == 0 and counted["poll"] > 0 and counted["at"]


def test_a_byte_that_flipped_at_the_node_is_found_and_mended_by_a_wipe(site):
    a, centre = filled(site)
    at_local(a, "UPDATE records SET body = '\"goof 7\"' WHERE id = 'r7'")
    centre.in_sync("a")  # the sums of the hashes know nothing of it
    code, text = verify(centre)
    assert code == 4 and "damaged at the node, their bytes do not give their hash: 1 (one is r7)" in text
    said = json.loads(centre.tool("--json", "verify", "a", check=False).stdout)
    assert said["equal"] is False and said["damaged"]["node"] == 1 and said["damaged"]["node_first"] == "r7"
    r = centre.tool("why", "a")
    assert "no longer give their hash at the node, one is r7" in r.stdout and "then wipe its database" in r.stdout
    assert centre.tool("safe", "a").returncode == 0  # the centre's copy is whole
    a.stop()
    a.wipe()
    a.start()
    centre.in_sync("a")
    assert verify(centre)[0] == 0
    assert lab.same_records(a, centre) == 20 and a.records()[("a", "r7")]["body"] == "good 7"
    assert "no longer give" not in centre.tool("why", "a").stdout


@pytest.mark.both_stores
def test_a_byte_that_flipped_at_the_centre_is_found_and_mended_by_a_new_version(site):
    a, centre = filled(site)
    at_centre(centre, "UPDATE records SET body = '\"goof 7\"' WHERE id = 'r7'")
    centre.in_sync("a")
    code, text = verify(centre)
    assert code == 4 and 'damaged at the centre, their bytes do not give their hash: 1 ("r7")' in text
    assert json.loads(centre.tool("--json", "verify", "a", check=False).stdout)["damaged"]["centre_ids"] == ["r7"]
    centre.tool("put", "a/r7", "--type", "t", "-", input='"good 7"')
    centre.in_sync("a")
    assert verify(centre)[0] == 0 and lab.same_records(a, centre) == 20


def test_a_broken_vector_or_type_is_damage_and_no_failure(site):
    a, centre = filled(site)
    at_local(a, "UPDATE records SET vv = x'0102' WHERE id = 'r3'")
    at_centre(centre, "UPDATE records SET vv = x'0102' WHERE id = 'r4'")
    at_centre(centre, "UPDATE records SET type = 'a type that is far too long for any record, and no word' WHERE id = 'r5'")
    code, text = verify(centre)
    assert code == 4 and "(one is r3)" in text and '2 ("r4","r5")' in text


def test_rows_that_were_deleted_by_hand_come_back(site):
    a, centre = filled(site)
    at_local(a, "DELETE FROM records WHERE id = 'r3'")
    assert verify(centre)[0] == 0 and lab.same_records(a, centre) == 20
    at_centre(centre, "DELETE FROM records WHERE id = 'r4'")
    assert verify(centre)[0] == 0 and lab.same_records(a, centre) == 20


def test_a_hash_that_was_changed_is_named_or_put_right(site):
    a, centre = filled(site)
    at_centre(centre, "UPDATE records SET h0 = h0 + 1 WHERE id = 'r4'")
    code, text = verify(centre)  # it looked like an edit of the centre's, and the node refused it
    assert code == 4 and 'damaged at the centre' in text and '"r4"' in text and "cannot hold 1 of the centre's records" in text
    assert centre.node("a")["rejected"] == 1
    r = centre.tool("why", "a", check=False)
    assert r.returncode == 4 and "1 of the centre's records it could not hold" in r.stdout
    centre.tool("put", "a/r4", "--type", "t", "-", input='"good as new"')
    centre.in_sync("a")
    assert verify(centre)[0] == 0 and lab.same_records(a, centre) == 20
    at_local(a, "UPDATE records SET h0 = h0 + 1 WHERE id = 'r3'")
    code, text = verify(centre)
    assert code == 4 and "damaged at the node" in text and "in quarantine" in text


def test_many_records_are_looked_at_page_by_page(site):
    a, centre = filled(site, 0)
    for i in range(3):
        a.write(*({"id": f"m{i}-{k:05}", "body": k} for k in range(9000)))
    centre.in_sync("a")
    assert verify(centre) == (0, "a: equal, 27000 records summed and hashed anew at both ends\n")
    at_centre(centre, "UPDATE records SET body = '-1' WHERE id IN ('m0-00000', 'm2-08999')")
    code, text = verify(centre)
    assert code == 4 and '2 ("m0-00000","m2-08999")' in text
