"""A program of its own: what py-cpuinfo knows, as JSON on standard output.

It runs in a child because py-cpuinfo sleeps for a second and starts further processes. Arguments are the folders
(or archives) to import from. Nothing of ours is imported here, so the text of this file is all that the child needs.
"""

import sys

if __name__ == "__main__":
    sys.path[:0] = sys.argv[1:]
    import json

    import cpuinfo

    sys.stdout.write(json.dumps(cpuinfo.get_cpu_info()))
