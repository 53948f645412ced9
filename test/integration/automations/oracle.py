"""What the installed Prefect makes of triggers, events and templates: JSON on standard input, the answers on standard output."""

import asyncio
import json
import sys
from datetime import datetime
from uuid import UUID

from prefect.server.database import provide_database_interface
from prefect.server.events import triggers
from prefect.server.events.jinja_filters import all_filters
from prefect.server.events.schemas.automations import Automation, EventTrigger, Posture
from prefect.server.events.schemas.events import ReceivedEvent
from prefect.server.events.schemas.labelling import LabelDiver
from prefect.server.utilities.user_templates import (
    register_user_template_filters,
    render_user_template_sync,
    validate_user_template,
)


def received(event):
    return ReceivedEvent.model_validate({"occurred": "2026-01-01T00:00:00Z", "payload": {}, **event})


def match(case):
    """Everything that decides whether an event counts."""
    trigger = EventTrigger.model_validate(case["trigger"])
    event = received(case["event"])
    automation = Automation(name="a", trigger=trigger, actions=[])
    triggers.load_automation(automation)
    interested = [found.id for found in triggers.find_interested_triggers(event)] == [automation.trigger.id]
    triggers.forget_automation(automation.id)
    return {
        "interested": interested,
        "starts_after": trigger.starts_after(event.event),
        "expects": trigger.expects(event.event),
        "key": list(trigger.bucketing_key(event)),
    }


def template(case):
    try:
        validate_user_template(case["template"])
        names = {**case["names"], "event": received(case["event"]), "labels": LabelDiver(case["labels"])}
        return {"text": render_user_template_sync(case["template"], names)}
    except Exception as error:
        return {"error": type(error).__name__}


fired = []


async def act(firing):
    event = firing.triggering_event
    fired[-1].append([firing.triggering_labels, str(event.id) if event else None])


async def play(database, scenario):
    """The firings after each step: an event that comes, or a look for what is absent."""
    fired.clear()
    automation = Automation(name="a", trigger=scenario["trigger"], actions=[])
    async with database.session_context(begin_transaction=True) as session:
        session.add(database.Automation(**automation.model_dump()))
    triggers.load_automation(automation)
    for step in scenario["steps"]:
        fired.append([])
        if "event" in step:
            await triggers.reactive_evaluation(received(step["event"]))
        else:
            now = datetime.fromisoformat(step["look"].replace("Z", "+00:00"))
            for trigger in automation.triggers_of_type(EventTrigger):
                if trigger.posture == Posture.Proactive:
                    await triggers.reset_events_clock()
                    await triggers.proactive_evaluation(trigger, now)
    triggers.forget_automation(automation.id)
    return [list(step) for step in fired]


async def main():
    given = json.load(sys.stdin)
    triggers.act = act
    register_user_template_filters(all_filters)
    database = provide_database_interface()
    await database.create_db()
    answers = {
        "matches": [match(case) for case in given["matches"]],
        "templates": [template(case) for case in given["templates"]],
        "scenarios": [await play(database, scenario) for scenario in given["scenarios"]],
    }
    json.dump(answers, sys.stdout, default=lambda value: str(value) if isinstance(value, UUID) else None)


asyncio.run(main())
