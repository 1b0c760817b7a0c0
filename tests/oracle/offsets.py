"""Every change of the UTC offset from 2020 to 2040, by Python's own reading of the zone data.

Names of zones come in on stdin, one a line (none: all that there are); out goes a line for each:
the name, then START:OFFSET for each span of constant offset, in seconds.
"""

import sys
import zoneinfo
from datetime import datetime, timezone

FIRST = int(datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp())
LAST = int(datetime(2041, 1, 1, tzinfo=timezone.utc).timestamp())
STEP = 12 * 3600


def offset(zone, at):
    return int(datetime.fromtimestamp(at, zone).utcoffset().total_seconds())


def spans(zone):
    at, known = FIRST, offset(zone, FIRST)
    yield at, known
    while at < LAST:
        step = at + STEP
        if offset(zone, step) != known:
            early, late = at, step
            while early + 1 < late:
                middle = (early + late) // 2
                if offset(zone, middle) == known:
                    early = middle
                else:
                    late = middle
            step, known = late, offset(zone, late)
            yield step, known
        at = step


for name in sys.stdin.read().split() or sorted(zoneinfo.available_timezones()):
    zone = zoneinfo.ZoneInfo(name)
    print(name, *(f"{start}:{seconds}" for start, seconds in spans(zone)))
