"""The days on which a job with `workdays: cn` fires, 2004 to 2026, against chinesecalendar."""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

import chinese_calendar

# The notice for 2006 (2005 No. 35) has people work that Saturday for the free 3 January; chinesecalendar has it off.
KNOWN = {datetime.date(2005, 12, 31)}

CONFIG = """
daemon: {timezone: Asia/Shanghai}
accounts: [{id: screen, sender: console, im: qq}]
jobs: [{name: report, cron: "0 9 * * *", workdays: cn, push: {im: qq, group: "1", text: hello}}]
"""


def fires(program, directory, year):
    told = subprocess.run(
        [program, "-c", "jobs.yaml", "next", "report", "--json", "--from", f"{year}-01-01", "--until", f"{year}-12-31"],
        cwd=directory,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {datetime.date.fromisoformat(row["local"][:10]) for row in json.loads(told)}


def main(program):
    differ, days = set(), 0
    with tempfile.TemporaryDirectory() as directory:
        pathlib.Path(directory, "jobs.yaml").write_text(CONFIG)
        for year in range(2004, 2027):
            ours = fires(program, directory, year)
            day = datetime.date(year, 1, 1)
            while day.year == year:
                days += 1
                if (day in ours) != chinese_calendar.is_workday(day):
                    differ.add(day)
                day += datetime.timedelta(days=1)
    assert differ == KNOWN, f"of {days} days these differ: {sorted(map(str, differ))}, expected {sorted(map(str, KNOWN))}"
    print(f"{days} days are as chinesecalendar has them, but for {len(KNOWN)} that a notice settles")


main(str(pathlib.Path(sys.argv[1]).resolve()))
