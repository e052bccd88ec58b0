"""Kinds of evil.py that are about bytes: what is said on a connection, HTTP that is none, bodies without end, bombs."""
import gzip
import socket
import struct

from evil_kinds import LARGE, registers

KINDS = {}
greets, sends = (registers(KINDS, how) for how in ("greets", "sends"))


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def drip(node, connection, data, seconds=1.0):
    for byte in data:
        connection.sendall(bytes([byte]))
        if node.gone.wait(seconds):
            return


def for_ever(node, connection, chunk):
    while not node.gone.is_set():
        connection.sendall(chunk)


def head(*lines, status="200 OK", media="application/x-ndjson"):
    return "".join(x + "\r\n" for x in (f"HTTP/1.1 {status}", f"Content-Type: {media}", *lines, "")).encode("latin-1")


def chunk(data):
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


@greets
def accepts_and_says_nothing(node, connection):
    node.gone.wait()


@greets
def resets_at_once(node, connection):
    reset(connection)


@greets
def closes_at_once(node, connection):
    connection.close()


@greets
def says_an_ssh_banner(node, connection):
    connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
    node.gone.wait(30)


@greets
def says_an_smtp_banner(node, connection):
    connection.sendall(b"220 mail.example.com ESMTP ready\r\n")
    node.gone.wait(30)


@greets
def says_a_tls_alert(node, connection):
    connection.recv(65536)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x46")


@greets
def says_another_answer_before_it_is_asked(node, connection):
    connection.sendall(head("Content-Length: 3") + b"{}\n" + head("Content-Length: 3") + b"{}\n")
    node.gone.wait(30)


@sends
def speaks_http_0_9(node, connection):
    connection.sendall(b"<html>hello</html>\n")


@sends
def resets_in_the_body(node, connection):
    connection.sendall(head("Content-Length: 5000") + b'{"node":')
    reset(connection)


@sends
def chunks_for_ever(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked"))
    for_ever(node, connection, chunk(b"x" * LARGE))


@sends
def chunk_extensions_for_ever(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked") + b"1;x=")
    for_ever(node, connection, b"y" * LARGE)


@sends
def trailers_for_ever(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked", "Trailer: X") + chunk(b"x") + b"0\r\n")
    for_ever(node, connection, b"X: " + b"y" * 1000 + b"\r\n")


@sends
def body_without_a_length_for_ever(node, connection):
    connection.sendall(head())
    for_ever(node, connection, b"{" * LARGE)


@sends
def headers_for_ever(node, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    for_ever(node, connection, b"X-Flood: " + b"y" * 1000 + b"\r\n")


@sends
def a_header_line_without_end(node, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Flood: ")
    for_ever(node, connection, b"y" * LARGE)


@sends
def a_status_line_without_end(node, connection):
    connection.sendall(b"HTTP/1.1 200 ")
    for_ever(node, connection, b"O" * LARGE)


@sends
def continues_for_ever(node, connection):
    for_ever(node, connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


@sends
def drips_the_head(node, connection):
    drip(node, connection, head("Content-Length: 5000"))


@sends
def drips_the_body(node, connection):
    connection.sendall(head("Content-Length: 5000"))
    drip(node, connection, b"{" * 5000)


@sends
def trickles_the_body(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked"))
    while not node.gone.wait(0.25):
        connection.sendall(chunk(b"x" * 1024))


@sends
def announces_exabytes(node, connection):
    connection.sendall(head(f"Content-Length: {2**62}"))
    for_ever(node, connection, b"x" * LARGE)


@sends
def announces_a_negative_length(node, connection):
    connection.sendall(head("Content-Length: -1") + b"{}\n")


@sends
def announces_two_lengths(node, connection):
    connection.sendall(head("Content-Length: 3", "Content-Length: 50000") + b"{}\n" * 3)


@sends
def sends_a_gzip_bomb(node, connection):
    bomb = gzip.compress(bytes(64 << 20), 9)
    connection.sendall(head("Content-Encoding: gzip", f"Content-Length: {len(bomb)}") + bomb)


def packed(coding, body):
    return head(f"Content-Encoding: {coding}", f"Content-Length: {len(body)}") + body


def zstd_frame(*blocks, window=0x58):
    """Made by hand: of a window of 2 MiB, or as the byte says, without the content's size."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([window]) + b"".join(
        (len_ << 3 | kind << 1 | (i == len(blocks) - 1)).to_bytes(3, "little") + data for i, (kind, len_, data) in enumerate(blocks))


def raw_block(data):
    return 0, len(data), data


def same_byte_block(n):
    """4 bytes that are n."""
    return 1, n, b"x"


@sends
def sends_a_zstd_bomb(node, connection):
    connection.sendall(packed("zstd", zstd_frame(*[same_byte_block(128 << 10)] * 8192)))  # a GiB


@sends
def sends_a_bomb_in_a_bomb(node, connection):
    connection.sendall(packed("gzip, gzip", gzip.compress(gzip.compress(bytes(64 << 20), 9), 9)))


@sends
def sends_a_bomb_that_no_one_asked_for(node, connection):
    connection.sendall(packed("br", b"\x5b\xff\xff\xff\x0f" * 1000))


@sends
def wants_a_window_of_terabytes(node, connection):
    connection.sendall(packed("zstd", zstd_frame(raw_block(b"{}\n"), window=0xff)))


@sends
def packs_half_of_it(node, connection):
    connection.sendall(packed("zstd", zstd_frame(raw_block(b"{}\n"), raw_block(b"{}\n"))[:-1]))


@sends
def packs_and_goes_on(node, connection):
    connection.sendall(packed("gzip", gzip.compress(b"{}\n") + b"{}\n"))


@sends
def packs_twice(node, connection):
    """A second frame behind the first: what is it of?"""
    connection.sendall(packed("zstd", zstd_frame(raw_block(b"{}\n")) * 2))


@sends
def says_one_coding_and_sends_another(node, connection):
    connection.sendall(packed("zstd", gzip.compress(b"{}\n")))


@sends
def names_its_coding_twice(node, connection):
    connection.sendall(head("Content-Encoding: gzip", "Content-Encoding: gzip", "Content-Length: 3") + b"{}\n")


@sends
def packs_nothing_for_ever(node, connection):
    """Empty blocks, without end."""
    connection.sendall(head("Content-Encoding: zstd") + zstd_frame(raw_block(b"{}\n"), raw_block(b""))[:-3])
    for_ever(node, connection, b"\0\0\0" * LARGE)


@sends
def sends_a_broken_chunk(node, connection):
    connection.sendall(head("Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n{}\r\n")


@sends
def redirects_to_itself(node, connection):
    connection.sendall(head(f"Location: {node.url}/v1/changes", "Content-Length: 0", status="302 Found"))


@sends
def redirects_to_a_file(node, connection):
    connection.sendall(head("Location: file:///etc/passwd", "Content-Length: 0", status="307 Temporary Redirect"))


@sends
def answers_204(node, connection):
    connection.sendall(head(status="204 No Content"))


@sends
def answers_206(node, connection):
    connection.sendall(head("Content-Range: bytes 0-2/999", "Content-Length: 3", status="206 Partial Content") + b"{}\n")


@sends
def answers_999(node, connection):
    connection.sendall(head("Content-Length: 3", status="999 Whatever") + b"{}\n")


@sends
def answers_401(node, connection):
    connection.sendall(head("WWW-Authenticate: Negotiate", "WWW-Authenticate: NTLM", "Content-Length: 0", status="401 No"))


@sends
def answers_a_web_page(node, connection):
    page = b"<!doctype html><title>It works!</title>"
    connection.sendall(head(f"Content-Length: {len(page)}", media="text/html") + page)


@sends
def is_busy_for_ages(node, connection):
    """Retry-After: a trillion seconds, -1, and a time that is long gone."""
    after = ("1000000000000", "-1", "Fri, 31 Dec 1999 23:59:59 GMT")[next(node.count) % 3]
    connection.sendall(head(f"Retry-After: {after}", "Content-Length: 0", status="503 Later"))
