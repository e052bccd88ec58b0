"""What must hold, as functions of what the programs answered and nothing else.  Each returns (does it hold, what was seen)."""
import datetime
import re

SEQ = re.compile(r',"seq":\d+\}$')


def when(text):
    """RFC 3339 → a moment."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def proven_equal(at_centre, status):
    """The centre's answer about a node, and the node's own status."""
    proof, digest = at_centre["proof"], status["digest"]
    holds = at_centre["state"] == "in_sync" and proof["equal"] is True and proof["digest"] == digest and proof["count"] == status["records"]
    if holds:
        return True, f"{sum_of(digest)} at both ends"
    last = sum_of(proof["digest"]) + (" unequal" if proof["equal"] is False else "") if proof["digest"] else "none yet"
    return False, f"{sum_of(digest)} at the node, {at_centre['state']} ({at_centre['reason']}); the last proof: {last}"


def sum_of(digest):
    return f"{digest['count']} records, digest {digest['sum'][:8]}…"


def same_records(here, there):
    """The exports of a node and of the centre for it, by line: record for record, each byte but the node's own position."""
    ours = {SEQ.sub("}", line) for line in here}
    theirs = set(there)
    if len(here) == len(there) == len(ours) and ours == theirs:
        return True, f"{len(here)} records, byte for byte"
    odd = sorted(ours ^ theirs)
    return False, f"{len(here)} records at the node, {len(there)} at the centre, {len(odd)} lines at one end only: {odd[0][:120] if odd else 'some are doubled'}"


ID_BODY = re.compile(r'"id":"([^"]*)","type":"[^"]*","deleted":(?:true|false),"body":(.*),"hash":"')


def nothing_lost(written, lines):
    """{id: body} that was acknowledged, and the export of an end."""
    there = dict(ID_BODY.search(line).groups() for line in lines)
    wrong = [i for i, body in written.items() if there.get(i) != body]
    if not wrong:
        return True, f"{len(written)} of {len(written)} acknowledged writes are there"
    return False, f"{len(wrong)} of {len(written)} acknowledged writes are lost, such as {wrong[0]}: {written[wrong[0]]}, there is {there.get(wrong[0])}"


def soon_enough(seconds, limit):
    return seconds <= limit, f"after {seconds:.2f} s"


def waits(at_centre, records):
    """A node that is down: the centre keeps what is for it, and says when it asks again."""
    push, at = at_centre["backlog"]["push"], at_centre["next_attempt_at"]
    return push == records and at is not None, f"{push} records wait; next attempt at {at}"


def told(events, kind):
    """Was an event of that kind told?"""
    found = [e for e in events if e["kind"] == kind]
    return bool(found), line_of(found[0]) if found else f"no {kind} among {len(events)} events"


def not_told(events, kinds):
    found = [e for e in events if e["kind"] in kinds]
    return not found, line_of(found[0]) if found else f"no {', '.join(kinds)} among {len(events)} events"


def line_of(event):
    return f"{event['at'][11:23]} {event['kind']} {event['node'] or ''}: {event['text']}"


def moved(events, kind, at_least):
    """How many records the exchanges of that kind moved in all."""
    count = sum(int(re.search(r"(\d+) record", e["text"]).group(1)) for e in events if e["kind"] == kind)
    return count >= at_least, f"{count} records {kind}"


def flagged(clock, seconds):
    """A node's clock that is so far ahead is measured as such, and flagged."""
    offset, error = clock["offset_us"], clock["error_us"]
    if offset is None or error is None:
        return False, "the offset is not known"
    seen = f"{offset / 1e6:+.4f} s ± {error / 1e6:.4f} s, {'flagged' if clock['skewed'] else 'not flagged'}"
    return clock["skewed"] is True and abs(offset - seconds * 1e6) <= error, seen


def right(clock):
    return clock["skewed"] is False, clock["reason"]


def rising(acknowledged):
    """Positions in the log of writes, in the order in which they were made."""
    seqs = [a["seq"] for a in acknowledged]
    return seqs == sorted(set(seqs)), f"positions {seqs[0]} to {seqs[-1]}, in the order of the writes"


def later_stands(first, second, at_node, at_centre):
    """The second write stands at both ends, although a clock calls it older."""
    older = when(second["updated_at"]) < when(first["updated_at"])
    holds = older and at_node["body"] == at_centre["body"] == second["body"] and at_node["hash"] == at_centre["hash"]
    return holds, f"{at_centre['body']!r}, dated {second['updated_at'][11:23]}, over {first['body']!r}, dated {first['updated_at'][11:23]}"


def one_conflict(conflicts, id_, loser):
    """Exactly one, of that record, whose body is the loser's, kept whole."""
    mine = [c for c in conflicts if c["record_id"] == id_]
    holds = len(mine) == 1 and mine[0]["why"] == "conflict" and mine[0]["record"]["body"] == loser
    return holds, "; ".join(f"{c['why']} {c['id']}: {c['record']['body']!r}" for c in mine) or "there is none"


def stands(records, body):
    """At each of these ends."""
    return all(r["body"] == body for r in records), " | ".join(f"{r['id']} = {r['body']!r}" for r in records)


def between(before, now, head):
    """A position that is known, has moved and is not at the end."""
    return now is not None and before < now < head, f"position {now}, between {before} and {head}"


def quick(latencies, limit):
    """At the median: what is shared with others has its hiccups."""
    middle = sorted(latencies)[len(latencies) // 2]
    return middle <= limit, f"{len(latencies)} writes, median {middle * 1000:.0f} ms, longest {max(latencies) * 1000:.0f} ms"


def is_state(at_centre, *states):
    return at_centre["state"] in states, f"{at_centre['state']}: {at_centre['reason']}"


def beyond(head, cursor):
    return head > cursor, f"its log ends at {head}, the centre had read to {cursor}"
