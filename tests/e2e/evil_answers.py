"""Kinds of evil.py that are about what is answered: to calls, in pages, to what is pushed."""
import json
import secrets

import protocol1
from evil_kinds import HOSTILE, LARGE, registers

KINDS = {}
serves, lies = (registers(KINDS, how) for how in ("serves", "lies"))


# --- calls ---

@serves
def refuses_in_hostile_words(node, asked):
    return node.refusal(asked.q, "unavailable", 503) if next(node.count) % 2 else (
        503, "application/problem+json", json.dumps({"code": "x" * LARGE, "detail": HOSTILE * 1000, "title": HOSTILE}))


@serves
def has_another_epoch_each_time(node, asked):
    node.epoch = secrets.token_hex(16)
    return node.true(asked)


@serves
def goes_back_again_and_again(node, asked):
    """Whatever it said that it holds, it does not hold the next time."""
    if asked.path == "/v1/changes" and not asked.q["witness"].startswith("0.") and next(node.count) % 2:
        return node.refusal(asked.q, "rewound", epoch=node.epoch)
    if asked.path == "/v1/epoch":
        q = json.loads(asked.body)
        node.epoch = q["to"]
        return 200, "application/json", json.dumps({"result": "renamed", "epoch": node.epoch, "request": q["request"]})
    return node.true(asked)


@serves
def says_that_it_lacks_the_empty_log(node, asked):
    if asked.path == "/v1/changes" and asked.q["epoch"] == node.epoch:
        return node.refusal(asked.q, "rewound", epoch=node.epoch)
    return node.true(asked)


@serves
def speaks_no_version_that_is(node, asked):
    return node.refusal(asked.q, "incompatible", 400, min=7, max=2**62, version=HOSTILE)


@serves
def replays_its_first_answer(node, asked):
    if asked.path != "/v1/changes" or asked.q["epoch"] != node.epoch:
        return node.true(asked)
    if not hasattr(node, "recorded"):
        node.recorded = node.true(asked)
    return node.recorded


@serves
def fails_every_other_time(node, asked):
    return node.true(asked) if next(node.count) % 2 else (500, "text/plain", "oops")


@serves
def answers_at_once_and_early(node, asked):
    asked.q["wait"] = "0"
    return node.true(asked)


@serves
def writes_a_record_for_each_answer(node, asked):
    node.write(f"w{next(node.count)}", "1")
    return node.true(asked)


# --- pages ---

@lies
def lacks_the_last_line(node, asked, a):
    return "".join(x + "\n" for x in [json.dumps(a.first), *a.lines])


@lies
def is_cut_within_a_record(node, asked, a):
    return a.text()[:-400]


@lies
def bears_a_wrong_seal(node, asked, a):
    return a.text()[:-2] + ',"check":"0123456789abcdef"}\n'


@lies
def says_the_name_of_another(node, asked, a):
    a.first["node"] = "n0"


@lies
def says_another_epoch(node, asked, a):
    a.first["epoch"] = secrets.token_hex(16)


@lies
def answers_in_protocol_4e9(node, asked, a):
    a.first["protocol"] = 4_000_000_000


@lies
def says_words_for_a_protocol(node, asked, a):
    a.first.update(protocol=HOSTILE, version="9" * 5000)


@lies
def ends_at_2_to_the_63(node, asked, a):
    a.last.update(to_seq=2**63, head_seq=2**63)


@lies
def has_a_head_that_jumps(node, asked, a):
    a.last["head_seq"] = a.last["to_seq"] + secrets.randbelow(2**40)
    a.last["more"] = a.last["head_seq"] > a.last["to_seq"]


@lies
def repeats_a_place(node, asked, a):
    a.lines += a.lines[-1:]


@lies
def goes_down(node, asked, a):
    a.lines.reverse()


@lies
def goes_past_its_end(node, asked, a):
    a.last.update(to_seq=1, to_head=node.heads[1])


@lies
def has_more_and_sends_none(node, asked, a):
    a.lines.clear()
    a.last.update(to_seq=int(asked.q.get("after", 0)), to_head=protocol1.EMPTY, head_seq=2**40, more=True)


@lies
def has_more_and_only_moves(node, asked, a):
    """A page without a record, a place farther each time: for ever, as fast as it is asked."""
    a.lines.clear()
    a.last.update(to_seq=int(asked.q.get("after", 0)) + 1, to_head="5" * 32, head_seq=2**40, more=True)


@lies
def sends_ten_times_what_was_asked(node, asked, a):
    a.lines = ["{}"] * 10 * int(asked.q.get("limit", 1000))


@lies
def sends_a_megabyte_more(node, asked, a):
    a.lines = [json.dumps({"id": "r", "body": "x" * 1000})] * 6000


@lies
def sends_claims_that_are_no_records(node, asked, a):
    """As many as go into an answer, each as short as it can be."""
    a.lines = ['{"id":"a","seq":%d,"hash":"%032x"}' % (i + 1, i + 1) for i in range(5500)]
    a.last.update(to_seq=6000, head_seq=6000, to_head="5" * 32)


@lies
def sends_no_json(node, asked, a):
    a.lines = [x[:-1] for x in a.lines]


@lies
def nests_for_ever(node, asked, a):
    a.lines = ['{"id":' + "[" * 100000 + "]" * 100000 + "}"] * len(a.lines)


@lies
def says_each_member_twice(node, asked, a):
    a.lines = [x[:-1] + "," + x[1:] for x in a.lines]


def more_lines(node, a, ret):
    """Further lines after the true ones; each is given its place."""
    at = node.seq
    for line in ret:
        at += 1
        a.lines.append(line.replace('"seq": 0', f'"seq": {at}'))
    if ret:
        a.last.update(to_seq=at, head_seq=at, to_head="%032x" % at)


def forged(node, owner, rid):
    r = {"owner": owner, "id": rid, "type": "t", "deleted": False, "body": '"forged"', "hash": "", "dot": f"{node.actor}.9"}
    r.update(created_at=protocol1.STAMP, updated_at=protocol1.STAMP, clock_error_us=None, seq=0, hash=protocol1.record_hash(r))
    return r


@lies
def forges_records_of_another(node, asked, a):
    if asked.path == "/v1/changes" and int(asked.q["after"]) <= node.seq:
        more_lines(node, a, [protocol1.encode(forged(node, "n0", "r1"))])


@lies
def forges_pages_of_another(node, asked, a):
    if asked.path == "/v1/changes":
        more_lines(node, a, [protocol1.encode(forged(node, "n0", f"r{i}")) for i in range(1, 40)])
        del a.lines[:-39]


@lies
def sends_a_record_that_fits_no_hash(node, asked, a):
    a.lines = [x.replace('"body":{"v":1}', '"body":{"v":7}') for x in a.lines]


@lies
def brings_broken_records_for_ever(node, asked, a):
    """Eight of 30 KB each time, new ones, of which none passes."""
    if asked.path != "/v1/changes":
        return
    for _ in range(8):
        node.seq += 1
        r = forged(node, node.name, f"b{node.seq}")
        r.update(seq=node.seq, body='"%s"' % ("x" * 30000))
        a.lines.append(protocol1.encode(r))
        node.heads[node.seq] = "%032x" % node.seq
        node.broken.append(r["hash"])
    hashes = [r["hash"] for r in node.rows.values()] + node.broken
    a.last.update(to_seq=node.seq, head_seq=node.seq, to_head=node.heads[node.seq],
                  digest={"count": len(hashes), "sum": protocol1.lanes(hashes)})


@lies
def counts_otherwise_each_time(node, asked, a):
    a.last["digest"] = {"count": secrets.randbelow(2**40), "sum": secrets.token_hex(16)}


@lies
def counts_one_too_many(node, asked, a):
    a.last["digest"]["count"] += 1


@lies
def has_buckets_that_never_meet(node, asked, a):
    """Neither its digest nor those of its buckets are ever the same."""
    a.last["digest"] = {"count": 4, "sum": secrets.token_hex(16)}
    if asked.path == "/v1/digest":
        a.lines = [json.dumps({"bucket": b, "count": 1, "sum": secrets.token_hex(16)})
                   for b in range(min(4, 2 ** int(asked.q.get("bits", 0))))]


@lies
def lives_in_another_time(node, asked, a):
    """1900, 9999, and the ends of what a number holds."""
    times = ((-2208988800000000, 253402300799000000), (-2**63, 2**63 - 1), (2**63 - 1, -2**63))
    a.last["t_recv_us"], a.last["t_send_us"] = times[next(node.count) % 3]
    a.last.update(oldest_after="9999-12-31T23:59:59.999999Z", clock_error_us=2**63 - 1)


@lies
def says_a_nul(node, asked, a):
    a.first["version"] = "1\0 2"


@lies
def says_times_in_words(node, asked, a):
    a.last["t_recv_us"] = HOSTILE


@lies
def is_unwell_in_hostile_words(node, asked, a):
    a.last["unwell"] = {x: HOSTILE * 500 for x in ("disk_low", "disk_full", "writes_fail", "unknown")}
    a.last["chrony"] = HOSTILE
    a.last["damaged"] = {"records": 2**62, "first": HOSTILE}


# --- what becomes of what it is sent: the centre has a record for it ---

def answers_to_push(act):
    def bend(node, asked, a):
        if asked.path == "/v1/apply":
            a.lines = [json.dumps(act(node, json.loads(line))) for line in a.lines]

    bend.__name__ = act.__name__
    return lies(bend)


@answers_to_push
def acknowledges_what_was_never_sent(node, answer):
    return {**answer, "id": "never-sent"}


@answers_to_push
def acknowledges_another_version(node, answer):
    return {"id": answer["id"], "result": "applied", "hash": secrets.token_hex(16)}


@answers_to_push
def rejects_in_hostile_words(node, answer):
    return {"id": answer["id"], "result": "rejected", "reason": HOSTILE * 500}


@lies
def acknowledges_twice(node, asked, a):
    if asked.path == "/v1/apply":
        a.lines *= 2


@serves
def forgets_what_it_was_sent(node, asked):
    """Applied, it says, and its digest says the contrary."""
    if asked.path != "/v1/apply":
        return node.true(asked)
    before = node.snapshot()
    answer = node.true(asked)
    node.epoch, node.seq, node.rows, node.heads = before
    return answer


@serves
def conflicts_for_ever(node, asked):
    """Each push meets a version that nobody has seen."""
    if asked.path == "/v1/apply":
        for line in asked.body.decode().splitlines():
            rid = json.loads(line)["id"]
            node.rows.pop(rid, None)  # so that it knows nothing of what it replaces
            node.write(rid, str(next(node.count)))
    return node.true(asked)
