"""A proxy in front of an S3 server that breaks requests and answers, as often as it is told.

``python fault_proxy.py --upstream PORT --share 0.2 --seed 7 --kinds status_500,reset`` prints its
own port and then, with ``--trace``, one line a request. Every connection carries one request. Which
request breaks, and how, comes from the seed alone; the order of requests is the client's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import socket
import struct
from dataclasses import dataclass, field

KINDS = (
    "status_500",  # Not forwarded.
    "status_503",
    "lost_answer",  # Forwarded, then 500: the server has it, the client does not know.
    "reset",  # Not forwarded, connection reset.
    "cut_request",  # Half of the request's body reaches the server.
    "cut_answer",  # The connection ends in the middle of the answer.
    "short_answer",  # A truncated body under a Content-Length that fits it.
    "flip_answer",  # One bit of an object's bytes.
    "flip_request",
    "delay",
)
OTHER_KINDS = ("hang", "hang_put", "not_found_after_put", "status_403")


@dataclass
class Message:
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    def with_body(self, body: bytes) -> bytes:
        head = re.sub(rb"(?i)(\r\ncontent-length: *)\d+", rb"\g<1>%d" % len(body), self.head)
        return head + body


@dataclass
class Proxy:
    upstream: int
    share: float
    seed: int
    kinds: tuple[str, ...]
    trace: bool = False
    hidden: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - no secret

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await read_message(reader, writer)
            if request is not None:
                kind = self.choose(request)
                if self.trace:
                    print(kind or "-", request.method, request.target, flush=True)  # noqa: T201 - for whoever drives it
                await self.answer(kind, request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client went away, as a killed one does.
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def choose(self, request: Message) -> str | None:
        kind = None
        if self.random.random() < self.share:
            kind = self.random.choice(self.kinds)
        if kind == "hang_put":
            return "hang" if request.method == "PUT" else None
        if kind != "not_found_after_put":
            return kind
        path = request.target.partition("?")[0]
        if request.method == "PUT":
            self.hidden[path] = 2
        elif self.hidden.get(path, 0) and request.method in {"GET", "HEAD"}:
            self.hidden[path] -= 1
            return "status_404"
        return None

    async def answer(
        self, kind: str | None, request: Message, writer: asyncio.StreamWriter
    ) -> None:
        if kind == "hang":
            await asyncio.sleep(3600)
        if kind == "delay":
            await asyncio.sleep(self.random.uniform(0.05, 0.5))
        if kind == "reset":
            reset(writer)
            return
        if kind and kind.startswith("status_"):
            writer.write(refusal(int(kind[-3:]), request.method))
            return
        sent = self.broken_request(kind, request)
        answer = await self.forward(sent)
        if kind == "lost_answer" or not answer:
            writer.write(refusal(500, request.method))
            return
        writer.write(self.broken_answer(kind, request, answer))
        await writer.drain()

    def broken_request(self, kind: str | None, request: Message) -> bytes:
        if kind == "cut_request" and request.body:
            return request.head + request.body[: len(request.body) // 2]
        if kind == "flip_request" and request.method == "PUT" and request.body:
            return request.head + self.flipped(request.body)
        return request.head + request.body

    def broken_answer(self, kind: str | None, request: Message, answer: bytes) -> bytes:
        head, mark, body = answer.partition(b"\r\n\r\n")
        message = Message(head + mark, body)
        is_object = request.method == "GET" and "?" not in request.target
        if not body or kind not in {"cut_answer", "short_answer", "flip_answer"}:
            return answer
        if kind == "cut_answer":
            return message.head + body[: len(body) // 2]
        if kind == "short_answer" and is_object:
            return message.with_body(body[: self.random.randrange(len(body))])
        return message.head + self.flipped(body) if is_object else answer

    def flipped(self, body: bytes) -> bytes:
        place = self.random.randrange(len(body))
        return (
            body[:place] + bytes([body[place] ^ 1 << self.random.randrange(8)]) + body[place + 1 :]
        )

    async def forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        head, mark, body = request.partition(b"\r\n\r\n")
        head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\nConnection: close"
        try:
            writer.write(head + mark + body)
            await writer.drain()
            writer.write_eof()
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


async def read_message(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Message | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    if b"100-continue" in head.lower():
        head = re.sub(rb"(?i)\r\nexpect:[^\r]*", b"", head)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
        return Message(head, await read_chunks(reader))
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return Message(head, await reader.readexactly(int(length[1])) if length else b"")


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """The chunks as they came, sizes included, for forwarding under the same head."""
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        raw += line
        size = int(line.split(b";")[0], 16)
        if size == 0:
            while (trailer := await reader.readuntil(b"\r\n")) != b"\r\n":
                raw += trailer
            return raw + b"\r\n"
        raw += await reader.readexactly(size + 2)


def refusal(status: int, method: str) -> bytes:
    code = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}[status]
    body = f"<Error><Code>{code}</Code><Message>by the fault proxy</Message></Error>".encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    head += f"Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + (b"" if method == "HEAD" else body)


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", type=int, required=True)
    parser.add_argument("--share", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    kinds = tuple(given.kinds.split(","))
    unknown = set(kinds) - {*KINDS, *OTHER_KINDS}
    if unknown:
        parser.error(f"unknown kinds {unknown}")
    proxy = Proxy(given.upstream, given.share, given.seed, kinds, given.trace)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 26)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for whoever drives it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
