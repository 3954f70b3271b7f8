"""Read a file in a fresh process, print what it took: python -m tests.data.measure KIND FILE."""

import json
import sys
import time
from pathlib import Path

from tests.fuzz.corpus import READERS, peak, warm_up
from xdnn_core.errors import UserError

if __name__ == "__main__":
    kind, file = sys.argv[1:]
    data = Path(file).read_bytes()
    warm_up(kind)
    before, start, said = peak(), time.process_time(), ""
    try:
        READERS[kind](data)
    except UserError as error:
        said = str(error)
    spent = {"megabytes": peak() - before, "seconds": time.process_time() - start, "said": said}
    print(json.dumps(spent))
