"""Logs in and uses ACLs with confluent-kafka (librdkafka): security.py BOOTSTRAP CHECK"""

import os
import sys
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

LIMIT_S = 60
PASSWORD = os.environ["SECURITY_PASSWORD"]
TOKEN = os.environ["SECURITY_TOKEN"]
TLS = {"ssl.ca.location": os.environ["SECURITY_AUTHORITY"]}


def main():
    bootstrap, check = sys.argv[1:3]
    checks = {
        "plain": lambda at: check_login(at, by_password("PLAIN")),
        "scram256": lambda at: check_login(at, by_password("SCRAM-SHA-256")),
        "scram512": lambda at: check_login(at, by_password("SCRAM-SHA-512")),
        "token": lambda at: check_login(at, by_token()),
        "certificate": lambda at: check_login(at, by_certificate()),
        "wrong": check_wrong,
        "acls": check_acls,
        "credentials": check_credentials,
    }
    checks[check](bootstrap)


def by_password(mechanism, user="app", password=PASSWORD):
    return {
        **TLS,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.username": user,
        "sasl.password": password,
    }


def by_token():
    return {
        **TLS,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "OAUTHBEARER",
        "oauth_cb": lambda _: (TOKEN, time.time() + 3600, "app", {}),
    }


def by_certificate():
    return {
        **TLS,
        "security.protocol": "SSL",
        "ssl.certificate.location": os.environ["SECURITY_CERTIFICATE"],
        "ssl.key.location": os.environ["SECURITY_KEY"],
    }


def new_admin(bootstrap, login):
    admin = AdminClient({"bootstrap.servers": bootstrap, **login})
    # Callbacks for tokens run while something polls.
    admin.poll(0)
    return admin


def new_topic(bootstrap, login):
    topic = f"security-{uuid.uuid4().hex[:8]}"
    admin = new_admin(bootstrap, login)
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result(LIMIT_S)
    return topic


def produce(bootstrap, login, topic, value):
    problems = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 20000, **login})
    producer.produce(topic, value, on_delivery=lambda error, _: problems.append(error))
    producer.flush(LIMIT_S)
    return problems[0]


def read_one(bootstrap, login, topic, group):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            **login,
        }
    )
    consumer.subscribe([topic])
    deadline = time.monotonic() + LIMIT_S
    try:
        while time.monotonic() < deadline:
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                return message.error()
            return message.value()
        raise AssertionError("nothing came")
    finally:
        consumer.close()


def check_login(bootstrap, login):
    topic = new_topic(bootstrap, login)
    assert produce(bootstrap, login, topic, b"value") is None
    assert read_one(bootstrap, login, topic, f"{topic}-group") == b"value"


def check_wrong(bootstrap):
    for mechanism in ["PLAIN", "SCRAM-SHA-256"]:
        seen = []
        producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "error_cb": seen.append,
                **by_password(mechanism, password="wrong"),
            }
        )
        deadline = time.monotonic() + LIMIT_S
        while not any(error.code() == KafkaError._AUTHENTICATION for error in seen):
            assert time.monotonic() < deadline, seen
            producer.poll(0.1)


def acl(kind, name, operation, user="limited", pattern=ResourcePatternType.LITERAL):
    permission = AclPermissionType.ALLOW
    return AclBinding(kind, name, pattern, f"User:{user}", "*", operation, permission)


def check_acls(bootstrap):
    admin = new_admin(bootstrap, by_password("SCRAM-SHA-256"))
    limited = by_password("SCRAM-SHA-256", "limited")
    topic = new_topic(bootstrap, by_password("SCRAM-SHA-256"))
    group = f"{topic}-group"
    assert produce(bootstrap, limited, topic, b"no").code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    bindings = [
        acl(ResourceType.TOPIC, topic, AclOperation.WRITE),
        acl(ResourceType.TOPIC, topic[:10], AclOperation.READ, pattern=ResourcePatternType.PREFIXED),
    ]
    for future in admin.create_acls(bindings).values():
        future.result(LIMIT_S)
    assert produce(bootstrap, limited, topic, b"yes") is None
    refused = read_one(bootstrap, limited, topic, group)
    assert refused.code() == KafkaError.GROUP_AUTHORIZATION_FAILED, refused
    for future in admin.create_acls([acl(ResourceType.GROUP, group, AclOperation.READ)]).values():
        future.result(LIMIT_S)
    assert read_one(bootstrap, limited, topic, group) == b"yes"

    def found(pattern, name):
        any_of = (None, None, AclOperation.ANY, AclPermissionType.ANY)
        return AclBindingFilter(ResourceType.TOPIC, name, pattern, *any_of)

    matching = admin.describe_acls(found(ResourcePatternType.MATCH, topic)).result(LIMIT_S)
    assert set(matching) == set(bindings), matching
    gone = admin.delete_acls([found(ResourcePatternType.LITERAL, topic)])
    assert [len(future.result(LIMIT_S)) for future in gone.values()] == [1]
    assert produce(bootstrap, limited, topic, b"no").code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    # What is asked goes with the client: it must outlive the answer. librdkafka shows nobody why a list of ACLs is empty.
    stranger = new_admin(bootstrap, limited)
    assert stranger.describe_acls(found(ResourcePatternType.ANY, None)).result(LIMIT_S) == []
    for future in stranger.create_acls(bindings).values():
        error = future.exception(LIMIT_S)
        assert error.args[0].code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED, error


def check_credentials(bootstrap):
    admin = new_admin(bootstrap, by_password("PLAIN"))
    user = f"made-{uuid.uuid4().hex[:8]}"
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 8192)
    upsertion = UserScramCredentialUpsertion(user, info, b"a new password", b"some salt")
    for future in admin.alter_user_scram_credentials([upsertion]).values():
        future.result(LIMIT_S)
    described = admin.describe_user_scram_credentials([user])[user].result(LIMIT_S)
    assert [one.iterations for one in described.scram_credential_infos] == [8192]
    for mechanism in ["SCRAM-SHA-512", "PLAIN"]:
        made = by_password(mechanism, user, "a new password")
        new_admin(bootstrap, made).list_topics(timeout=LIMIT_S)
    deletion = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)
    for future in admin.alter_user_scram_credentials([deletion]).values():
        future.result(LIMIT_S)
    try:
        admin.describe_user_scram_credentials([user])[user].result(LIMIT_S)
        raise AssertionError("credentials that were deleted are described")
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.RESOURCE_NOT_FOUND, error


if __name__ == "__main__":
    main()
