"""The administrators' console: every page of /admin by its address."""

from starlette.routing import Route

from idp.flows.idp import CONSOLE_PATH
from idp.flows.people.console import (
    AUDIT_PATH,
    CHECKUP_PATH,
    CLIENTS_PATH,
    EXPLAIN_PATH,
    KEYS_PATH,
    MESSAGES_PATH,
    NUMBER_PATH,
    OPEN_NUMBER_PATH,
    PEOPLE_PATH,
    POLICY_PATH,
    SPENDING_PATH,
    TRY_PATH,
)
from idp.web.console import (
    checkup,
    client_edit,
    clients,
    events,
    explaining,
    inviting,
    numbers,
    overview,
    people,
    policy,
    sending,
    trail,
)
from idp.web.console.changes import PEOPLE
from idp.web.console.client_changes import APPLICATIONS

ROUTES = [
    Route(CONSOLE_PATH, overview.front, methods=["GET"]),
    Route(CHECKUP_PATH, checkup.ask, methods=["GET"]),
    Route(CHECKUP_PATH, checkup.look, methods=["POST"]),
    Route(PEOPLE_PATH, people.people, methods=["GET"]),
    Route(f"{PEOPLE_PATH}.csv", people.people_csv, methods=["GET"]),
    Route(f"{PEOPLE_PATH}/invite", inviting.ask, methods=["GET"]),
    Route(f"{PEOPLE_PATH}/invite", inviting.make, methods=["POST"]),
    Route(f"{PEOPLE_PATH}/{{id}}", people.person, methods=["GET"]),
    Route(f"{PEOPLE_PATH}/{{id}}/{{change}}", PEOPLE.ask, methods=["GET"]),
    Route(f"{PEOPLE_PATH}/{{id}}/{{change}}", PEOPLE.make, methods=["POST"]),
    Route(CLIENTS_PATH, clients.applications, methods=["GET"]),
    Route(f"{CLIENTS_PATH}.csv", clients.applications_csv, methods=["GET"]),
    Route(f"{CLIENTS_PATH}/{{id}}", clients.application, methods=["GET"]),
    Route(f"{CLIENTS_PATH}/{{id}}/edit", client_edit.ask, methods=["GET"]),
    Route(f"{CLIENTS_PATH}/{{id}}/edit", client_edit.make, methods=["POST"]),
    Route(f"{CLIENTS_PATH}/{{id}}/{{change}}", APPLICATIONS.ask, methods=["GET"]),
    Route(f"{CLIENTS_PATH}/{{id}}/{{change}}", APPLICATIONS.make, methods=["POST"]),
    Route(POLICY_PATH, policy.policy, methods=["GET"]),
    Route(TRY_PATH, policy.ask_try, methods=["GET"]),
    Route(TRY_PATH, policy.try_text, methods=["POST"]),
    Route(EXPLAIN_PATH, explaining.explain, methods=["GET"]),
    Route(KEYS_PATH, policy.ask_rotation, methods=["GET"]),
    Route(KEYS_PATH, policy.rotate, methods=["POST"]),
    Route(MESSAGES_PATH, trail.messages, methods=["GET"]),
    Route(f"{MESSAGES_PATH}.csv", trail.messages_csv, methods=["GET"]),
    Route(SPENDING_PATH, sending.spending, methods=["GET"]),
    Route(f"{SPENDING_PATH}/{{block}}", sending.ask_open, methods=["GET"]),
    Route(f"{SPENDING_PATH}/{{block}}", sending.open_again, methods=["POST"]),
    Route(NUMBER_PATH, numbers.ask_number, methods=["GET"]),
    Route(NUMBER_PATH, numbers.explain, methods=["POST"]),
    Route(OPEN_NUMBER_PATH, numbers.ask_unblock, methods=["GET"]),
    Route(OPEN_NUMBER_PATH, numbers.unblock, methods=["POST"]),
    Route(AUDIT_PATH, trail.trail, methods=["GET"]),
    Route(f"{AUDIT_PATH}.csv", trail.trail_csv, methods=["GET"]),
    Route(f"{AUDIT_PATH}/{{id:int}}", events.event, methods=["GET"]),
]
