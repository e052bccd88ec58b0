"""The catalogue of bad requests: what is sent, byte for byte, and what must come back.  test_catalogue.py asks all of it.

{host} is the program's own HOST:PORT, {base} where its records are (/v1/records, at the centre with the owner behind it), {owner} what a
posted record needs at the centre ("owner":"a",), {epoch} the local's epoch.
"""
import dataclasses

LIMIT = 8 * 1024 * 1024  # of a body that is posted
GOOD = '{"type":"t","body":1}'
GONE = None  # the connection ends instead of an answer


@dataclasses.dataclass
class Row:
    what: str
    sent: bytes
    status: int | tuple | None  # a tuple: any of these
    code: str | None = None  # None: libmicrohttpd's own answer, in HTML
    lives: bool | None = None  # must the connection go on?  None: it may
    at: str = "both"


def request(method, target, *headers, body=b"", host="{host}", version="HTTP/1.1", length=True):
    body = body if isinstance(body, bytes) else body.encode()
    lines = [f"{method} {target} {version}", *([f"Host: {host}"] if host is not None else []), *headers]
    if length and (body or method in ("POST", "PUT", "PATCH")):
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "surrogateescape") + body


def get(target, *headers, **kw):
    return request("GET", target, *headers, **kw)


def post(body, *headers, target="/v1/records", **kw):
    return request("POST", target, *headers, body=body, **kw)


STATUS = "/v1/status"
TOO_DEEP = "[" * 65 + "]" * 65


def framing():
    """Where a request ends, and whose it is."""
    whole = GOOD.encode()
    yield Row("no Host", get(STATUS, host=None), 400)
    yield Row("two Hosts", get(STATUS, "Host: {host}"), 400, "bad_request", False)
    yield Row("two Hosts, one of them another", get(STATUS, "Host: evil.example"), 400, "bad_request", False)
    yield Row("two lengths", post(whole, "Content-Length: 5"), 400, "bad_request", False)
    yield Row("the same length twice", post(whole, f"Content-Length: {len(whole)}"), 400, "bad_request", False)
    yield Row("a length and chunks", post(b"0\r\n\r\n", "Transfer-Encoding: chunked"), 400, "bad_request", False)
    yield Row("chunks before a length", request("POST", "/v1/records", "Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n", length=False),
              400, "bad_request", False)
    yield Row("chunks alone", post(b"0\r\n\r\n", "Transfer-Encoding: chunked", length=False), 411, "length_required", False)
    yield Row("a coding nobody knows", post(b"x", "Transfer-Encoding: xchunked", length=False), 411, "length_required", False)
    yield Row("chunks of gzip", post(b"x", "Transfer-Encoding: gzip, chunked", length=False), 411, "length_required", False)
    yield Row("chunks, said with a tab", post(b"x", "Transfer-Encoding:\tchunked", length=False), 411, "length_required", False)
    yield Row("chunks on a GET", get(STATUS, "Transfer-Encoding: chunked") + b"0\r\n\r\n", 400, "bad_request", False)
    yield Row("no length", post(b"", length=False), 411, "length_required")
    for text in ("-1", "+5", "0x5", "5, 5", "5 5", "five", "5.0", "5e0"):
        yield Row(f"a length of {text}", post(b"12345", f"Content-Length: {text}", length=False), (400, GONE))
    yield Row("an empty length", post(b"12345", "Content-Length:", length=False), (400, 411, GONE))
    yield Row("a length of 2^64", post(b"", f"Content-Length: {2 ** 64}", length=False), (400, 413, GONE))
    for n in (2 ** 64 - 1, 2 ** 63, 2 ** 63 - 1, LIMIT + 1):
        yield Row(f"a length of {n}", post(b"", f"Content-Length: {n}", length=False), 413, "body_too_large", False)
    yield Row("less than was announced", post(b"12345", "Content-Length: 50", length=False), GONE)
    yield Row("nothing of what was announced", post(b"", "Content-Length: 50", length=False), GONE)
    yield Row("a body on GET", get(STATUS, body=b"{}"), 400, "bad_request", False)
    yield Row("a body on HEAD", request("HEAD", STATUS, body=b"{}"), 400, None, False)
    yield Row("more than was announced", post(b"{" + b"x" * 50, "Content-Length: 1", length=False), 400, "bad_json")
    yield Row("a request inside a body", post(get("/v1/records/smuggled"), "Content-Length: 0", length=False), 400, "bad_json")
    yield Row("a body that nobody takes", request("DELETE", "{base}/nothing", body=b"{}"), 413, "body_too_large", False)


def lines():
    """The request line and the head."""
    yield Row("a head of 40 KB", get(STATUS, "X-A: " + "x" * 40000), 431, None, False)
    yield Row("5,000 headers", get(STATUS, *(f"X-{i}: x" for i in range(5000))), 431, None, False)
    yield Row("a header without an end", get(STATUS)[:-4] + b"\r\nX: " + b"x" * 40000, 431, None, False)
    yield Row("a target of 40 KB", get("/" + "x" * 40000), 414, None, False)
    yield Row("a target of 3 KB", get("/" + "x" * 3000), 404, "not_found", True)
    yield Row("a target of a hundred segments", get("/v1" * 100), 404, "not_found", True)
    yield Row("a header without a colon", get(STATUS, "nonsense"), (200, 400))
    yield Row("a header without a name", get(STATUS, ": x"), (200, 400))
    yield Row("a blank before the colon", post(GOOD, f"Content-Length : {len(GOOD)}", length=False), (400, 411), None, None)
    yield Row("a folded length", post(GOOD, "X: y\r\n Content-Length: 5", length=False), (400, 411), None, None)
    yield Row("a NUL in a header", get(STATUS, "X: a\0b"), (200, 400))
    yield Row("a NUL in the target", get("/v1/sta\0tus"), 400, "bad_request", False)
    yield Row("a NUL behind the target", get("/v1/status\0"), 400, "bad_request", False)
    yield Row("a blank in the target", get("/v1/records/a b"), (400, GONE))
    yield Row("a tab in the target", get("/v1/records/a\tb"), 400, "bad_request", False)
    yield Row("a DEL in the target", get("/v1/records/a\x7fb"), 400, "bad_request", False)
    yield Row("a carriage return alone in the target", get("/v1/records/a\rb"), (400, GONE))
    yield Row("no version", b"GET /v1/status\r\n\r\n", (400, 505, GONE))
    yield Row("no target", b"GET\r\n\r\n", (400, GONE))
    yield Row("only blanks", b"   \r\n\r\n", (400, GONE))
    yield Row("HTTP/2.0", get(STATUS, version="HTTP/2.0"), 505, None, False)
    yield Row("HTTP/0.9", get(STATUS, version="HTTP/0.9"), (400, 505), None, False)
    yield Row("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, None, False)
    yield Row("a hello of TLS", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + b"r" * 32 + b"\x00\r\n\r\n", (400, GONE))
    yield Row("a command of SSH", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", (400, GONE))
    yield Row("a command of Redis", b"*1\r\n$4\r\nPING\r\n\r\n", (400, GONE))
    yield Row("random bytes", bytes(range(128, 256)) * 4 + b"\r\n\r\n", (400, GONE))
    for method in ("get", "G@T", "TRACE", "CONNECT", "OPTIONS", "PROPFIND", "M" * 300):
        yield Row(f"the method {method[:10]}", request(method, STATUS), 405, "method_not_allowed", True)
    yield Row("the absolute form", get("http://evil.example/v1/status"), 400, "bad_request", True)
    yield Row("the asterisk", request("OPTIONS", "*"), 400, "bad_request", True)
    yield Row("an authority", request("CONNECT", "evil.example:443"), 400, "bad_request", True)
    for name in ("Authorization", "Content-Type", "Content-Encoding", "If-Match", "If-None-Match", "Origin"):
        yield Row(f"{name} twice", post(GOOD, f"{name}: x", f"{name}: x"), 400, "bad_request", False)


def paths():
    """Nothing is normalised, nothing is decoded twice."""
    for target in ("/", "//v1/status", "/v1//status", "/v1/status/", "/./v1/status", "/v1/../v1/status", "/v1/records/..%2f..%2fetc%2fpasswd",
                   "/v1/records/%2e%2e%2fstatus", "/v1%2fstatus", "/v1/records/..%252f..%252fetc", "/..;/v1/status", "/v1/nothing", "/V1/status",
                   "/v1/status%20", "/etc/passwd", "/.git/config", "/cgi-bin/sh"):
        if target == "/":
            yield Row("the path /", get("/"), 404, "not_found", True, "local")
        elif target == "/v1/records/..%252f..%252fetc":
            yield Row(f"the path {target}", get(target), 400, "bad_id", True, "local")
            yield Row(f"the path {target}", get(target), 404, "not_found", True, "centre")
        else:
            yield Row(f"the path {target}", get(target), 404, "not_found", True)
    for target in ("/v1/records/a%00b", "/v1/records/%00", "/v1/records/%zz", "/v1/records/%", "/v1/records/%4", "/v1/records/%ff", "/v1/records/%c0%af"):
        yield Row(f"the path {target}", get(target), 400, "bad_request", True)
    for path in ("/v1/records/a%20b", "/v1/records/a%0d%0ab", "/v1/records/" + "i" * 65, "/v1/records/%d0%b0"):
        yield Row(f"the id {path[12:30]}", request("PUT", path, body=GOOD), 400, "bad_id", True, "local")
        yield Row(f"the id {path[12:30]}", request("PUT", path.replace("records/", "records/a/"), body=GOOD), 400, "bad_id", True, "centre")
    yield Row("a record that is not there", get("{base}/nothing"), 404, "not_found", True)
    yield Row("deleting what is not there", request("DELETE", "{base}/nothing"), 404, "not_found", True)
    yield Row("a version that is not there", request("PUT", "{base}/new", 'If-Match: "00000000000000000000000000000000"', body=GOOD), 412, "precondition_failed", True)
    yield Row("a version that is another", request("DELETE", "{base}/seed", 'If-Match: "00000000000000000000000000000000"'), 412, "precondition_failed", True)
    yield Row("a record that is there already", request("PUT", "{base}/seed", "If-None-Match: *", body=GOOD), 412, "precondition_failed", True)
    yield Row("a version that is none", request("PUT", "{base}/seed", "If-Match: nonsense", body=GOOD), (400, 412), None, True)


def hosts():
    """Whom a browser was made to believe it speaks to."""
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "localhost:99999",
                 "localhost:x", "192.0.2.1", "[::2]", "[::1", "", "0x7f000001", "2130706433", "127.1"):
        yield Row(f"the host {host}", get(STATUS, host=host), 403, "forbidden", True)
    for origin in ("http://evil.example", "null", "https://localhost", "http://localhost:1", "http://{host}.evil.example", "file://", "{host}", ""):
        yield Row(f"the origin {origin}", post(GOOD, f"Origin: {origin}"), 403, "forbidden", True)
        yield Row(f"the origin {origin}, reading", get(STATUS, f"Origin: {origin}"), 403, "forbidden", True)


def media():
    for kind in ("text/xml", "text/plain", "multipart/form-data; boundary=x", "application/json; charset=utf-16", "application/jsonx",
                 "application/octet-stream", ";", "json"):
        yield Row(f"the type {kind}", post(GOOD, f"Content-Type: {kind}"), 415, "unsupported_media_type", True)
    for coding in ("gzip", "br", "deflate", "gzip, identity", "zstd"):
        yield Row(f"the coding {coding}", post(GOOD, f"Content-Encoding: {coding}"), 415, "unsupported_media_type", True)


def queries():
    for query in ("limit=0", "limit=-1", "limit=1001", "limit=1000000000", "limit=abc", "limit=1e2", "limit=1.0", "limit=%31%30x", "limit=+5",
                  "limit=18446744073709551617", "limit=5&limit=5", "deleted=maybe", "deleted=TRUE", "what=1", "Limit=5", "limit", "=5", "&limit=0",
                  "limit=%00", "limit=%zz", "limit=%ff", "type=%c0%af", "after=%"):
        yield Row(f"records?{query}", get("/v1/records?" + query), 400, "bad_request", True)
    yield Row("records?type=T", get("/v1/records?type=T"), 400, "bad_type", True)
    yield Row("records with 17 parameters", get("/v1/records?" + "&".join(f"a{i}=1" for i in range(17))), 400, "bad_request", True)
    for query in ("epoch=xyz", "witness=1", "witness=1.xyz", "witness=-1.00000000000000000000000000000000", "after=-1", "after=1.5", "after=%201",
                  "after=99999999999999999999", "after=0x1", "limit=10001", "limit=-1", "wait=99999999", "wait=-1", "max_bytes=99999999999",
                  "protocol=2-9", "protocol=one", "protocol=0", "recount=2", "centre=x", "request=x", "check=" + "1" * 16):
        yield Row(f"changes?{query}", get("/v1/changes?" + query), 400, None, True, "local")
    yield Row("no epoch", get("/v1/changes"), 409, "epoch_changed", True, "local")
    yield Row("another epoch", get("/v1/changes?epoch=" + "0" * 32), 409, "epoch_changed", True, "local")
    yield Row("a cursor past the log", get("/v1/changes?epoch={epoch}&after=99999999"), 409, "rewound", True, "local")
    yield Row("a witness of another log", get("/v1/changes?epoch={epoch}&witness=1." + "0" * 32), 409, "rewound", True, "local")
    for target in ("/v1/digest?bits=17", "/v1/digest?bits=-1", "/v1/digest?bits=4&check=" + "1" * 16):
        yield Row(target, get(target), 400, None, True, "local")
    for target in ("/v1/nodes?state=fine", "/v1/nodes?limit=1001", "/v1/nodes?order=up", "/v1/events?after=x", "/v1/events?after=-1", "/v1/events?level=loud",
                   "/v1/events?limit=0", "/v1/events/stream?after=x", "/v1/conflicts?order=up", "/v1/conflicts?limit=0", "/v1/quarantine?after=x",
                   "/v1/records?owner=A%20B&limit=0"):
        yield Row(target, get(target), 400, "bad_request", True, "centre")


def bodies():
    """Of records that are posted; what is JSON at all is test_json_doors.py's."""
    def both(what, text, status, code, lives=True):
        text = text if isinstance(text, bytes) else text.encode()
        yield Row(what, post(text), status, code, lives, "local")
        yield Row(what, post(text.replace(b'"type"', b'"owner":"a","type"') if b'"type"' in text else text.replace(b"{", b'{"owner":"a",', 1)),
                  status, code, lives, "centre")

    for what, text in (("nothing", ""), ("blanks", " \r\n\t"), ("half an object", "{"), ("half a word", "nul"), ("text behind", GOOD + "x"), ("a NUL behind", GOOD + "\0"),
                       ("a number with a zero before", '{"type":"t","body":01}'), ("a NUL, escaped", '{"type":"t","body":"\\u0000"}'),
                       ("half a surrogate", '{"type":"t","body":"\\ud800"}'), ("an escape nobody knows", '{"type":"t","body":"\\q"}'),
                       ("a tab in a string", '{"type":"t","body":"\t"}'), ("a comment", '{"type":"t",/**/"body":1}'), ("NaN", '{"type":"t","body":NaN}'),
                       ("a comma too many", '{"type":"t","body":1,}'), ("single quotes", "{'type':'t','body':1}"), ("0xff", b'{"type":"t","body":"\xff"}'),
                       ("an overlong slash", b'{"type":"t","body":"\xc0\xaf"}'), ("a surrogate in UTF-8", b'{"type":"t","body":"\xed\xa0\x80"}'),
                       ("past the last character", b'{"type":"t","body":"\xf4\x90\x80\x80"}'), ("a NUL", b'{"type":"t","body":"a\x00b"}'),
                       ("a byte order mark", '\ufeff{"type":"t","body":1}'), ("UTF-16", '{"type":"t","body":1}'.encode("utf-16")),
                       ("65 levels", '{"type":"t","body":%s}' % TOO_DEEP), ("100,000 brackets", "[" * 100000), ("a number", "1"), ("a string", '"x"'),
                       ("null", "null"), ("an array of numbers", "[1]"), ("an array in an array", "[[" + GOOD + "]]"), ("the same key twice", '{"id":"x","id":"y","type":"t","body":1}'),
                       ("the same key twice, once escaped", '{"type":"t","body":1,"b\\u006fdy":2}')):
        yield from both(what, text, 400, "bad_json")
    for what, text, code in (("no type", '{"body":1}', "bad_type"), ("a type of 5", '{"type":5,"body":1}', "bad_type"), ("a type of T", '{"type":"T","body":1}', "bad_type"),
                             ("no type at all", '{"type":"","body":1}', "bad_type"), ("a type of 33", '{"type":"%s","body":1}' % ("t" * 33), "bad_type"),
                             ("a null for a type", '{"type":null,"body":1}', "bad_type"), ("no body", '{"type":"t"}', "bad_request"),
                             ("a member in another case", '{"type":"t","Body":1}', "bad_request"),
                             ("an id with a blank", '{"id":"a b","type":"t","body":1}', "bad_id"),
                             ("an empty id", '{"id":"","type":"t","body":1}', "bad_id"), ("an id that is a number", '{"id":7,"type":"t","body":1}', "bad_id"),
                             ("an id of 65", '{"id":"%s","type":"t","body":1}' % ("i" * 65), "bad_id"),
                             ("an id that climbs", '{"id":"../x","type":"t","body":1}', "bad_id"), ("an id with a letter like a", '{"id":"\u0430","type":"t","body":1}', "bad_id"),
                             ("an id with a brace", '{"id":"{0}","type":"t","body":1}', "bad_id"), ("a good one, then a bad one", GOOD + "\n" + '{"type":"t"}', "bad_request"),
                             ("an array with a bad one", "[" + GOOD + ',{"type":"t"}]', "bad_request")):
        yield from both(what, text, 400, code)
    yield from both("a body over 256 KiB", '{"type":"t","body":"%s"}' % ("x" * 256 * 1024), (400, 413), None)
    yield Row("nobody's record", post('{"owner":"nobody","type":"t","body":1}'), 404, "not_found", True, "centre")
    yield Row("a record without an owner", post(GOOD), 400, "bad_request", True, "centre")
    yield Row("an owner that is a number", post('{"owner":7,"type":"t","body":1}'), 400, "bad_request", True, "centre")
    yield Row("two owners", post('{"owner":"a","owner":"b","type":"t","body":1}'), 400, "bad_json", True, "centre")
    yield Row("a record put for nobody", request("PUT", "/v1/records/nobody/x", body=GOOD), 404, "not_found", True, "centre")
    yield Row("a record put without a body", request("PUT", "{base}/x", body='{"type":"t"}'), 400, "bad_request", True)
    yield Row("a record put as an array", request("PUT", "{base}/x", body=f"[{GOOD}]"), 400, "bad_json", True)
    yield Row("a record put twice in one", request("PUT", "{base}/x", body=GOOD + "\n" + GOOD), 400, "bad_json", True)
    yield Row("10,001 records", post("\n".join('{{owner}"type":"t","body":1}' for _ in range(10001))), 413, "too_many_records", True)


def calls():
    """What only one of the two takes."""
    for body in ("", "{}", "[]", '{"from":"x"}', '{"from":1,"to":2}'):
        yield Row(f"epoch {body}", post(body, target="/v1/epoch"), 400, None, True, "local")
    yield Row("a push to another epoch", post("", target="/v1/apply?epoch=" + "0" * 32), 409, "epoch_changed", True, "local")
    for target in ("/v1/apply", "/v1/epoch", "/v1/fetch"):
        yield Row(f"{target} with a wrong check", post("", target=target + "?check=" + "1" * 16), 400, None, True, "local")
    for body in ('{"bits":4,"buckets":[16]}', '{"bits":99,"buckets":[]}', '{"bits":4}', "7", '{"bits":-1,"buckets":[0]}', '{"bits":4,"buckets":[2,1]}'):
        yield Row(f"fetch {body}", post(body, target="/v1/fetch"), 400, None, True, "local")
    for method, target in (("DELETE", STATUS), ("POST", "/healthz"), ("PUT", "/v1/records"), ("PATCH", "/v1/records"), ("DELETE", "/v1/records"), ("POST", "/metrics")):
        yield Row(f"{method} {target}", request(method, target), 405, "method_not_allowed", True)
    for method, target in (("GET", "/v1/nodes/nobody"), ("DELETE", "/v1/nodes/nobody"), ("POST", "/v1/nodes/nobody/pull"), ("POST", "/v1/nodes/a/dance"), ("GET", "/v1/nodes/nobody/why"),
                           ("GET", "/v1/records/a"), ("POST", "/v1/conflicts/99/promote"), ("POST", "/v1/quarantine/99/retry"), ("DELETE", "/v1/quarantine/x"),
                           ("POST", "/v1/conflicts/-1/promote"), ("GET", "/page/..%2fmain.c"), ("GET", "/page/nothing")):
        yield Row(f"{method} {target}", request(method, target), 404, "not_found", True, "centre")
    for body in ("", "{}", '{"name":"B","url":"http://127.0.0.1:1"}', '{"name":7,"url":"http://127.0.0.1:9"}', '{"name":"b"}', '{"name":"b","url":7}',
                 '{"name":"b","url":"nonsense"}', '{"name":"b","url":"file:///etc/passwd"}', '{"name":"b","url":"gopher://127.0.0.1:9"}',
                 '{"name":"b","url":"http://user:pw@127.0.0.1:9"}', '{"name":"b","url":"http://127.0.0.1:9/?q"}', '{"name":"b","url":"http://127.0.0.1:99999"}',
                 '{"name":"b","url":"http://10.1.2.3:80"}', '{"name":"b","url":"http://169.254.169.254/"}', '{"name":"../b","url":"http://127.0.0.1:9"}'):
        yield Row(f"node {body}", post(body, target="/v1/nodes"), 400, None, True, "centre")
    yield Row("a name that is taken", post('{"name":"a","url":"http://127.0.0.1:9"}', target="/v1/nodes"), 409, "conflict", True, "centre")


def tokens():
    """At programs that ask for one: the same words for whatever is wrong."""
    for header in ("X: y", "Authorization: ", "Authorization: Bearer", "Authorization: Bearer ", "Authorization: Basic YTpi", "Authorization: Digest x",
                   "Authorization: Bearer  {token}", "Authorization: Bearer {token}x", "Authorization: Bearer {token} {token}", "Authorization: {token}",
                   "Authorization: Bearer \xff\xfe", "Authorization: Bearer " + "x" * 8000, "X-Authorization: Bearer {token}", "Cookie: token={token}"):
        yield Row(f"{header[:40]}", get(STATUS, header), 401, "unauthorised", True)
        yield Row(f"{header[:40]}, writing", post(GOOD, header), 401, "unauthorised", True)
    yield Row("a token in the query", get("/v1/status?token={token}"), 401, "unauthorised", True)
    yield Row("two tokens", get(STATUS, "Authorization: Bearer {token}", "Authorization: Bearer {token}"), 400, "bad_request", False)
    yield Row("an application's token for replication", get("/v1/changes", "Authorization: Bearer {token}"), 401, "unauthorised", True, "local")
    yield Row("a node's token for an application", get(STATUS, "Authorization: Bearer {other}"), 401, "unauthorised", True)


OPEN = [r for group in (framing, lines, paths, hosts, media, queries, bodies, calls) for r in group()]
LOCKED = list(tokens())
