"""Eight processes at once, round after round: `promoters.py promote|publish FOLDER ROUNDS` prints what each came to."""

import json
import multiprocessing
import sys

from mlopskit.aliases import Alias
from mlopskit.builtin.folder import FolderStorage
from mlopskit.errors import ConflictError

COUNT = 8
FORK = multiprocessing.get_context("fork")


def promote(number, storage, rounds, barrier):
    alias = Alias(storage, "m/aliases", "m", "production")
    for turn in range(rounds):
        barrier.wait(60)
        head = alias.head()
        barrier.wait(60)  # all have read the same head
        try:
            record, won = alias.append(f"sha256:{turn * COUNT + number:064x}", after=head, why=str(number)), True
        except ConflictError as error:
            record, won = error.winner, False
        yield {"won": won, "seq": record.seq, "operation": record.operation}


def publish(number, storage, rounds, barrier):
    del number
    for turn in range(rounds):
        files = {"manifest.json": b"{}" * turn, **{f"parts/{part}": b"x" * part for part in range(20)}}
        barrier.wait(60)
        yield {"won": storage.commit(f"m/packages/{turn}", files, last="manifest.json"), "seq": turn}


def work(act, number, folder, rounds, barrier, pipe):
    pipe.send([*act(number, FolderStorage(folder), rounds, barrier)])


def main(act, folder, rounds):
    barrier = FORK.Barrier(COUNT)
    pipes = [FORK.Pipe(duplex=False) for _ in range(COUNT)]
    workers = [
        FORK.Process(
            target=work, args=({"promote": promote, "publish": publish}[act], number, folder, rounds, barrier, into)
        )
        for number, (_, into) in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    for _, into in pipes:
        into.close()
    said = [out.recv() for out, _ in pipes]
    for worker in workers:
        worker.join()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
