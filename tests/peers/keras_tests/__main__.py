import sys

from . import files, running

chosen = [path for path in files.FILES if any(word in path for word in sys.argv[1:] or [""])]
cases = []
import time, signal
from minitl.errors import MinitlError
for path in chosen:
    started = time.time()
    try:
        cases += running.run_file(path)
    except Exception as error:
        import traceback
        traceback.print_exc()
        print("LOAD", path, repr(error))
    if time.time() - started > 3: print(f"{time.time() - started:.1f} s", path, flush=True)
for case in cases:
    if case.result != "pass":
        print(f"{case.result}\t{case.full_name}\t{case.error[:300]!r}\t{case.where}", file=sys.stderr)
print(running.table([c for c in cases if not running.aside(c)]))
