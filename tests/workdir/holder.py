"""Claims a folder, says so and waits; run as a process of its own."""

import sys
import time

from leakjax._validate import UsageError
from leakjax._workdir import claim

try:
    with claim(sys.argv[1], {"seed": 0}, process=int(sys.argv[2]), processes=int(sys.argv[3])):
        print("claimed", flush=True)
        time.sleep(60)
except UsageError as error:
    print(error, flush=True)
