"""The kernel's table of sockets, as it writes it."""

from __future__ import annotations

from carrel.lib.listening import parse_table

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22B8 00000000:0000 0A 00000000:00000000 00:00000000 0     0        0 12345 1 0 100 0 0 10 0
   1: 0100007F:22B8 0100007F:9C40 01 00000000:00000000 00:00000000 0     0        0 12346 1 0 20 4 30 10 -1
   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 99 1 0
   3: short
"""


def test_only_listening_sockets_count() -> None:
    assert list(parse_table(TABLE)) == [("12345", 8888), ("99", 8080)]
