"""Locals that stall, lie and attack, of each kind one, among honest ones: each ends in a state with a reason, and costs only itself."""
import collections
import os
import re
import threading
import time

import pytest

import crowd
import evil
import evil_kinds
import lab
import proc
import protocol1

GOOD, STILL = 20, 2
LANES = 128  # of the transfer (central/transfer.h): each has a pair of descriptors of its own, however many nodes there are
SECONDS = float(os.environ.get("TIDEMARK_EVIL_SECONDS", "12"))  # more than the ten that an answer may take
P99_MS, MEMORY_MIB = 500, 96
EVENTS = 160 + 2 * SECONDS  # of one node: the first of each kind, then a few a minute
RATIO = 4  # where others keep the machine so busy that it is slow before anything evil comes
RATE = 40  # records a second, written among the good ones
FLOOD = 2000  # at one more node, for ever
_never = threading.Event()

ALARM, BROKEN, OTHER = "head of its answer is larger", "line [0-9]+: ", "is no Tidemark local"
RESTLESS = "never came to rest"
# kind: its state at the end, a result that its exchanges had (the metrics' word), and what the reason says
EXPECTED = {
    "accepts_and_says_nothing": ("never_seen", "timeout", "no answer in time"),
    "resets_at_once": ("never_seen", "network", "."),
    "closes_at_once": ("never_seen", "network", "."),
    "says_an_ssh_banner": ("never_seen", "not_tidemark", "does not speak HTTP"),
    "says_an_smtp_banner": ("never_seen", "not_tidemark", "does not speak HTTP"),
    "says_a_tls_alert": ("never_seen", "not_tidemark", "does not speak HTTP"),
    "says_another_answer_before_it_is_asked": ("never_seen", "not_tidemark", OTHER),
    "speaks_http_0_9": ("never_seen", "not_tidemark", "does not speak HTTP"),
    "resets_in_the_body": ("never_seen", "network", "."),
    "chunks_for_ever": ("never_seen", "bad_body", "larger than"),
    "chunk_extensions_for_ever": ("never_seen", "bad_body", "larger than"),
    "trailers_for_ever": ("never_seen", "bad_body", "larger than"),
    "body_without_a_length_for_ever": ("never_seen", "bad_body", "larger than"),
    "headers_for_ever": ("never_seen", "bad_body", ALARM),
    "a_header_line_without_end": ("never_seen", "bad_body", ALARM),
    "a_status_line_without_end": ("never_seen", "bad_body", ALARM),
    "continues_for_ever": ("never_seen", "bad_body", ALARM),
    "drips_the_head": ("never_seen", "timeout", "no answer in time"),
    "drips_the_body": ("never_seen", "timeout", "no answer in time"),
    "trickles_the_body": ("never_seen", "timeout", "no answer in time"),
    "announces_exabytes": ("never_seen", "bad_body", "larger than"),
    "announces_a_negative_length": ("never_seen", "not_tidemark", "does not speak HTTP"),
    "announces_two_lengths": ("never_seen", "network", "."),
    "sends_a_gzip_bomb": ("never_seen", "bad_body", "larger than"),
    "sends_a_zstd_bomb": ("never_seen", "bad_body", "larger than"),
    "sends_a_bomb_in_a_bomb": ("never_seen", "bad_body", "Content-Encoding gzip, gzip, which was not asked for"),
    "sends_a_bomb_that_no_one_asked_for": ("never_seen", "bad_body", "Content-Encoding br, which was not asked for"),
    "wants_a_window_of_terabytes": ("never_seen", "bad_body", "zstd content is damaged: Frame requires too much memory"),
    "packs_half_of_it": ("never_seen", "bad_body", "zstd content is cut short"),
    "packs_and_goes_on": ("never_seen", "bad_body", "gzip content is followed by 3 other bytes"),
    "packs_twice": ("never_seen", "bad_body", "zstd content is followed by 12 other bytes"),
    "says_one_coding_and_sends_another": ("never_seen", "bad_body", "zstd content is damaged"),
    "names_its_coding_twice": ("never_seen", "bad_body", "2 headers of the name Content-Encoding"),
    "packs_nothing_for_ever": ("never_seen", "bad_body", "larger than"),
    "sends_a_broken_chunk": ("never_seen", "network", "."),
    "redirects_to_itself": ("never_seen", "not_tidemark", "elsewhere .302., which is not followed"),
    "redirects_to_a_file": ("never_seen", "not_tidemark", "elsewhere .307., which is not followed"),
    "answers_204": ("never_seen", "not_tidemark", OTHER),
    "answers_206": ("never_seen", "not_tidemark", OTHER),
    "answers_999": ("never_seen", "not_tidemark", OTHER),
    "answers_401": ("never_seen", "unauthorised", "401"),
    "answers_a_web_page": ("never_seen", "not_tidemark", OTHER),
    "is_busy_for_ages": ("never_seen", "not_tidemark", "503"),
    "refuses_in_hostile_words": ("never_seen", "http", "."),
    "has_another_epoch_each_time": ("diverged", "epoch", RESTLESS),
    "goes_back_again_and_again": ("reconciling|catching_up|in_sync|diverged", "epoch", "."),  # a hundred times an hour, then it stops
    "says_that_it_lacks_the_empty_log": ("offline", "bad_body", "the empty log"),
    "speaks_no_version_that_is": ("incompatible", "incompatible", "no common version"),
    "replays_its_first_answer": ("offline", "bad_body", "answers another request"),
    "fails_every_other_time": ("offline|catching_up|in_sync", "not_tidemark", "."),
    "answers_at_once_and_early": ("in_sync", "ok", "both ends hold"),
    "writes_a_record_for_each_answer": ("in_sync|catching_up", "ok", "."),
    "lacks_the_last_line": ("offline", "bad_body", "truncated"),
    "is_cut_within_a_record": ("offline", "bad_body", "truncated"),
    "bears_a_wrong_seal": ("offline", "bad_body", "its check does not fit"),
    "says_the_name_of_another": ("offline", "wrong_node", "is the node n0"),
    "says_another_epoch": ("offline", "bad_body", "another epoch"),
    "answers_in_protocol_4e9": ("incompatible", "incompatible", "breaks the protocol"),
    "says_words_for_a_protocol": ("offline", "not_tidemark", "version: longer"),
    "says_a_nul": ("offline", "not_tidemark", "u0000"),
    "ends_at_2_to_the_63": ("offline", "bad_body", "to_seq: not a whole number"),
    "has_a_head_that_jumps": ("offline", "bad_body", "sends none of it"),
    "repeats_a_place": ("offline", "bad_body", BROKEN + "seq"),
    "goes_down": ("offline", "bad_body", BROKEN + "seq"),
    "goes_past_its_end": ("offline", "bad_body", BROKEN),
    "has_more_and_sends_none": ("offline", "bad_body", "sends none of it"),
    "has_more_and_only_moves": ("offline", "bad_body", "sends none of it"),
    "sends_ten_times_what_was_asked": ("offline", "bad_body", "more than the 10000 lines"),
    "sends_a_megabyte_more": ("offline", "bad_body", "larger than"),
    "sends_claims_that_are_no_records": ("offline", "bad_body", "more than 1000 lines are no records"),
    "sends_no_json": ("offline", "bad_body", BROKEN),
    "nests_for_ever": ("offline", "bad_body", "."),
    "says_each_member_twice": ("in_sync", "ok", "3 in quarantine"),
    "forges_records_of_another": ("offline", "bad_body", "owner: n0, where only records of"),
    "forges_pages_of_another": ("offline", "bad_body", "owner: n0, where only records of"),
    "sends_a_record_that_fits_no_hash": ("in_sync", "ok", "1 in quarantine"),
    "brings_broken_records_for_ever": ("in_sync|catching_up|offline", "ok", "in quarantine"),
    "counts_otherwise_each_time": ("diverged", "ok", RESTLESS),
    "counts_one_too_many": ("diverged", "ok", "still differ"),
    "has_buckets_that_never_meet": ("diverged", "ok", RESTLESS),
    "lives_in_another_time": ("in_sync", "ok", "both ends hold"),
    "says_times_in_words": ("offline", "bad_body", "t_recv_us"),
    "is_unwell_in_hostile_words": ("in_sync", "ok", "are damaged"),
    "acknowledges_what_was_never_sent": ("in_sync|catching_up", "bad_body", "."),
    "acknowledges_another_version": ("in_sync|catching_up", "bad_body", "."),
    "rejects_in_hostile_words": ("in_sync|catching_up", "ok", "."),
    "acknowledges_twice": ("in_sync|catching_up", "bad_body", "."),
    "forgets_what_it_was_sent": ("diverged", "epoch", RESTLESS),
    "conflicts_for_ever": ("catching_up", "ok", "left to push"),
}
PUSHED_TO = [k for k in EXPECTED if "acknowledges" in k or k in ("rejects_in_hostile_words", "forgets_what_it_was_sent", "conflicts_for_ever")]


@pytest.fixture
def nodes():
    class Nodes:
        good, still, flood = crowd.Crowd(GOOD, records=50), crowd.Crowd(STILL, records=50, prefix="still"), crowd.Crowd(1, 200, prefix="flood")
        evil = {kind: evil.Evil(kind.replace("_", "-"), kind) for kind in evil.KINDS}

        def honest(self):
            return self.good.nodes + self.still.nodes

    n = Nodes()
    yield n
    evil.close_all(n.evil.values())
    for c in (n.good, n.still, n.flood):
        c.close()


def add(centre, nodes):
    for n in nodes:
        assert centre.post("/v1/nodes", {"name": n.name, "url": n.url}).status == 201


def push_to(centre, node):
    """Once it is in step the centre has a record for it."""
    if centre.node(node.name)["state"] != "in_sync":
        return False
    assert lab.call(f"{centre.url}/v1/records/{node.name}/c1", "PUT", '{"type":"t","body":1}').status == 201
    return True


def watch(centre, nodes, seconds):
    """All that time the honest ones are in step, by proofs that are no older than three intervals."""
    waiting = [nodes.evil[k] for k in PUSHED_TO]
    honest = {n.name for n in nodes.honest()}
    for _ in range(int(seconds / 0.25)):
        waiting = [n for n in waiting if not push_to(centre, n)]
        late = [n for n in centre.nodes() if n["name"] in honest and n["state"] != "in_sync"]
        assert not late, late
        _never.wait(0.25)
    assert not waiting, [n.name for n in waiting]


def descriptors(program):
    return len(proc.open_files(program.process.pid))


def wrong_ends(centre, nodes):
    """What the table does not say."""
    seen, wrong = {n["name"]: n for n in centre.nodes()}, []
    for kind, (state, result, reason) in EXPECTED.items():
        n = seen[nodes.evil[kind].name]
        came = centre.outcomes(n["name"])
        if n["state"] not in state.split("|") or not came[result] or not re.search(reason, n["reason"]):
            wrong.append((kind, n["state"], n["reason"], dict(came)))
    return wrong


def check_untouched(centre, good):
    """What the centre has of it is what it wrote: r1, r2, … and the digest that it tells."""
    records = centre.records(good.name)
    proof = centre.node(good.name)["proof"]
    assert sorted(int(rid[1:]) for _, rid in records) == list(range(1, len(records) + 1)), good.name
    assert proof["equal"] and proof["digest"] == {"count": len(records), "sum": protocol1.lanes(r["hash"] for r in records.values())}
    assert not [e for e in centre.events(good.name) if e["kind"] not in ("node.added", "node.state", "pulled") and e.get("who") is None]  # else a person's
    return len(records)


def turn_good(centre, node):
    node.turn_good()
    call = "resume" if centre.node(node.name)["state"] in ("diverged", "identity_conflict") else "pull"
    assert centre.post(f"/v1/nodes/{node.name}/{call}").status == 202


@pytest.mark.both_stores
@pytest.mark.alone
def test_evil_nodes_cost_only_themselves(site, nodes):
    """One local of each kind that lies, stalls or attacks, and one that floods, beside twenty honest ones, all at once: the honest
    ones' proofs stay fresh, half a second bounds what 99 of 100 of their polls wait for the centre, memory and descriptors are bounded,
    each evil one ends in the state and for the reason of the table, nothing of another is touched, and who turns good is in step."""
    assert set(EXPECTED) == set(evil.KINDS) and len(EXPECTED) >= 25
    centre = site.centre(*nodes.honest(), options=["--poll-interval", "1s", "--compress", "always"])
    centre.in_sync()
    still = {n.name: centre.records(n.name) for n in nodes.still.nodes}
    nodes.good.rate(RATE)
    nodes.good.mark()
    _never.wait(2)
    alone = nodes.good.mark()
    most = max(P99_MS, RATIO * alone["news"]["p99"])
    add(centre, [*nodes.evil.values(), *nodes.flood.nodes])
    nodes.flood.rate(FLOOD)
    nodes.good.mark()
    watch(centre, nodes, SECONDS)
    seen = nodes.good.mark()
    print({k: seen[k] for k in ("polls", "news", "turns")}, f"{proc.resident_mib(centre.process.pid, peak=True):.0f} MiB, {descriptors(centre)} descriptors,",
          nodes.flood.mark()["held"], "of the flood")
    assert seen["news"]["n"] > RATE * SECONDS / 2 and seen["news"]["p99"] <= most and seen["turns"]["p99"] <= most, (alone, seen)
    assert proc.resident_mib(centre.process.pid, peak=True) <= MEMORY_MIB
    assert descriptors(centre) <= GOOD + STILL + 1 + len(EXPECTED) + 2 * LANES + 64
    told = collections.Counter(e["node"] for e in centre.all_events())
    print("events, most of one node:", told.most_common(3))
    assert max(told.values()) <= EVENTS, told.most_common(5)
    wrong = wrong_ends(centre, nodes)
    assert not wrong, "\n".join(map(str, wrong))
    nodes.good.rate(0)
    nodes.flood.rate(0)
    centre.in_sync(*[n.name for n in nodes.honest()])
    assert sum(check_untouched(centre, n) for n in nodes.good.nodes) == nodes.good.mark()["written"]
    assert still == {n.name: centre.records(n.name) for n in nodes.still.nodes}
    for n in nodes.evil.values():
        turn_good(centre, n)
    centre.in_sync(*[n.name for n in nodes.evil.values()], seconds=40)
    assert centre.stop(5) == 0


class Keeper(evil.Evil):
    """Says that there is more, and when it is asked for a whole page, for which room is kept, it says nothing."""

    def __init__(self, name):
        super().__init__(name, "replays_its_first_answer")
        self.holds = threading.Event()
        self.kind = evil_kinds.Kind("serves", Keeper.keep)

    def keep(self, asked):
        if asked.path == "/v1/changes":
            if int(asked.q["max_bytes"]) > evil_kinds.LARGE:
                self.holds.set()
                self.gone.wait(60)
            asked.q["limit"] = "2"
        return self.true(asked)


def test_room_is_not_kept_by_who_does_not_send(site):
    """As many nodes as there is room for promise a page and do not send it: whoever comes then waits three seconds, not ten."""
    keepers, late = [Keeper(f"keeper{i}") for i in range(10)], crowd.Crowd(1, 500, records=20000, prefix="late")
    try:
        centre = site.centre(options=["--poll-interval", "1s"])
        add(centre, keepers)
        lab.wait_until("eight hold what they were asked for", lambda: sum(k.holds.is_set() for k in keepers) >= 8)
        add(centre, late.nodes)
        began = time.monotonic()
        centre.in_sync("late0")
        took = time.monotonic() - began
        print(f"in step after {took:.1f} s")
        assert took < 7
    finally:
        evil.close_all(keepers)
        late.close()
