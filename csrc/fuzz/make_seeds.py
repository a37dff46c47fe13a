"""Write the inputs that the fuzzer of the gate begins with: python csrc/fuzz/make_seeds.py DIR

Each is a byte of options, a byte for the cuts, and lines as gate_fuzz.c's world takes them.
"""

import sys
from pathlib import Path


def submit(job: int, nonce: int, request_id: str = "4", name: str = "b", bits: str = "") -> str:
    listed = f'"{name}","{job:08x}","0a0B","6b000001","{nonce:08x}"{bits}'
    return f'{{"id":{request_id},"method":"mining.submit","params":[{listed}]}}\n'


def seeds() -> dict[str, str]:
    every_job = "".join(submit(job, 1) for job in range(8))
    many = "".join(submit(1 + nonce % 2, nonce // 2) for nonce in range(36))
    return {
        "plain": submit(1, 0),
        "jobs": every_job,
        "twice": submit(1, 7) * 2 + submit(2, 7) * 2,
        "crlf": every_job.replace("\n", "\r\n"),
        "many": many,
        "ids": submit(1, 1, "0") + submit(1, 2, '"rig-1"') + submit(1, 3, "null"),
        "long-ids": "".join(submit(1, size, f'"{"i" * size}"') for size in (100, 101, 200)),
        "bits": submit(1, 1, bits=',"1fffe000"')
        + submit(1, 2, bits=',"20002000"')
        + submit(1, 3, bits=", null")
        + submit(1, 4, bits=',"00000001"'),
        "names": "".join(submit(1, 1, name=name) for name in ("farm.rig1", "u", "x", "\\u0062")),
        "order": '{ "params" : [ "b", "00000001" ,"0a0b", "6b000000","00000001"] ,'
        ' "method":"mining.submit","id" :"x"}\n',
        "other": '{"id":1,"method":"mining.subscribe","params":[]}\n' + submit(1, 9) + "\n" + "{",
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for at, (name, lines) in enumerate(seeds().items()):
        for options in (0, 1, 2, 4, 8, 32, 64, 63):
            head = bytes([options, 16 * at + options])
            (folder / f"{name}-{options}").write_bytes(head + lines.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
