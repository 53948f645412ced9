"""Dates by Prefect's own classes: reads cases as JSON from standard input, writes {dates, error} for each."""

import json
import signal
import sys
from datetime import datetime

from prefect.server.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule

COUNT = int(sys.argv[1])
END = datetime.fromisoformat(sys.argv[2])
# Rules of minutes and seconds are walked from their beginning.
LIMIT_SECONDS = 0.5


def kind_of(schedule):
    for field, kind in (("cron", CronSchedule), ("interval", IntervalSchedule)):
        if field in schedule:
            return kind
    return RRuleSchedule


def stop(*_):
    raise TimeoutError


def answer(case):
    dates = []
    try:
        schedule = kind_of(case["schedule"]).model_validate(case["schedule"])
        start = datetime.fromisoformat(case["start"].replace("Z", "+00:00"))
        signal.setitimer(signal.ITIMER_REAL, LIMIT_SECONDS)
        for date in schedule._get_dates_generator(n=COUNT, start=start, end=END):
            dates.append(int(date.timestamp() * 1000))
        return {"dates": dates, "error": None}
    except Exception as error:
        return {"dates": dates, "error": type(error).__name__}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


signal.signal(signal.SIGALRM, stop)
json.dump([answer(case) for case in json.load(sys.stdin)], sys.stdout)
