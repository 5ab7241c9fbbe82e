#!/usr/bin/python3 -B
"""Declares the shop's broker through the management API: two vhosts with users, permissions,
policies, limits, exchanges, queues, bindings, and some messages in the audit trail.

Environment: SHOP_RABBITMQ_PORT, SHOP_RABBITMQ_USER, SHOP_RABBITMQ_PASSWORD (the administrator);
SHOP_MQ_PASSWORD, SHOP_MQ_AUDITOR_PASSWORD, SHOP_MQ_OPS_PASSWORD (of the users made here).
"""
import os
import sys
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recovery"))
from rabbitmq_server import api  # pylint: disable=wrong-import-position

DURABLE = {"durable": True}
AUDIT_MESSAGES = 200


def path(*words):
    return "/api/" + "/".join(quote(word, safe="") for word in words)


class Broker:
    """The administrator's view of the broker."""

    def __init__(self, environment):
        self.port = int(environment["SHOP_RABBITMQ_PORT"])
        self.login = (environment["SHOP_RABBITMQ_USER"], environment["SHOP_RABBITMQ_PASSWORD"])

    def put(self, words, body=None):
        api(self.port, self.login, "PUT", path(*words), body or {})

    def post(self, words, body):
        return api(self.port, self.login, "POST", path(*words), body)

    def bind(self, vhost, source, destination, binding):
        """destination: ("q" or "e", name)."""
        self.post(("bindings", vhost, "e", source, *destination), binding)


def declare_access(broker, environment):
    broker.put(("vhosts", "shop"), {"description": "orders on their way", "tags": "production"})
    broker.put(("vhosts", "audit"), {"description": "who did what"})
    users = {"shop_backend": ("SHOP_MQ_PASSWORD", ""),
             "auditor": ("SHOP_MQ_AUDITOR_PASSWORD", "monitoring"),
             "ops/café": ("SHOP_MQ_OPS_PASSWORD", "management,policymaker")}
    for name, (variable, tags) in users.items():
        broker.put(("users", name), {"password": environment[variable], "tags": tags})
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    for vhost in ("shop", "audit"):
        broker.put(("permissions", vhost, broker.login[0]), everything)
    broker.put(("permissions", "shop", "shop_backend"),
               {"configure": "", "write": "^orders$", "read": r"^orders\."})
    broker.put(("permissions", "audit", "auditor"), {"configure": "", "write": "", "read": ".*"})
    broker.put(("permissions", "shop", "ops/café"), everything)
    broker.put(("topic-permissions", "shop", "shop_backend"),
               {"exchange": "orders", "write": r"^order\.", "read": r"^order\."})
    broker.put(("user-limits", "shop_backend", "max-connections"), {"value": 50})
    broker.put(("vhost-limits", "audit", "max-queues"), {"value": 100})
    broker.put(("global-parameters", "shop_release"), {"value": {"name": "autumn", "number": 7}})


def declare_shop(broker):
    broker.put(("exchanges", "shop", "orders"), {
        **DURABLE, "type": "topic", "arguments": {"alternate-exchange": "unrouted"}})
    broker.put(("exchanges", "shop", "unrouted"), {**DURABLE, "type": "fanout"})
    broker.put(("exchanges", "shop", "events"), {**DURABLE, "type": "fanout", "internal": True})
    broker.put(("exchanges", "shop", "by headers"), {**DURABLE, "type": "headers"})
    broker.put(("queues", "shop", "orders.confirm"), {
        **DURABLE, "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 20,
                                 "x-dead-letter-exchange": "unrouted"}})
    broker.put(("queues", "shop", "orders.archive"), {
        **DURABLE, "arguments": {"x-queue-type": "classic", "x-queue-mode": "lazy"}})
    broker.put(("queues", "shop", "orders.urgent"), {
        **DURABLE, "arguments": {"x-max-priority": 9, "x-message-ttl": 86400000}})
    broker.put(("queues", "shop", "unrouted"), DURABLE)
    broker.put(("queues", "shop", "gifts/€"), DURABLE)
    broker.bind("shop", "orders", ("q", "orders.confirm"), {"routing_key": "order.created"})
    broker.bind("shop", "orders", ("e", "events"), {"routing_key": "order.#"})
    broker.bind("shop", "events", ("q", "orders.archive"), {})
    broker.bind("shop", "orders", ("q", "orders.urgent"), {"routing_key": "order.*.urgent"})
    broker.bind("shop", "unrouted", ("q", "unrouted"), {})
    for number in (1, 2):  # two bindings that differ in their arguments only
        broker.bind("shop", "by headers", ("q", "gifts/€"), {
            "routing_key": "", "arguments": {"x-match": "all", "gift": True, "wrap": number}})
    broker.put(("policies", "shop", "archive keeps a week"), {
        "pattern": r"^orders\.archive$", "apply-to": "queues", "priority": 7,
        "definition": {"message-ttl": 604800000, "max-length": 1000000}})
    broker.put(("policies", "shop", "unrouted is bounded"), {
        "pattern": "^unrouted$", "apply-to": "queues", "definition": {"max-length": 10000}})
    broker.put(("operator-policies", "shop", "no queue without bounds"), {
        "pattern": ".*", "apply-to": "queues", "definition": {"max-length-bytes": 1073741824}})


def declare_audit(broker):
    broker.put(("exchanges", "audit", "trail"), {**DURABLE, "type": "direct"})
    broker.put(("queues", "audit", "trail"), {**DURABLE, "arguments": {"x-queue-type": "quorum"}})
    broker.put(("queues", "audit", "trail.copy"), DURABLE)
    broker.bind("audit", "trail", ("q", "trail"), {"routing_key": "login"})
    broker.bind("audit", "trail", ("q", "trail.copy"), {"routing_key": "login"})
    broker.put(("policies", "audit", "copy is lazy"), {
        "pattern": r"\.copy$", "apply-to": "queues", "definition": {"queue-mode": "lazy"}})
    for number in range(AUDIT_MESSAGES):
        answer = broker.post(("exchanges", "audit", "trail", "publish"), {
            "properties": {"delivery_mode": 2, "content_type": "text/plain"},
            "routing_key": "login", "payload": f"login {number}", "payload_encoding": "string"})
        if not answer["routed"]:
            raise SystemExit("topology.py: a message of the audit trail found no queue")


def main():
    broker = Broker(os.environ)
    declare_access(broker, os.environ)
    declare_shop(broker)
    declare_audit(broker)


if __name__ == "__main__":
    main()
