"""Checks of an SQS and SNS endpoint with boto3: `python boto3_checks.py URL CHECK`."""

import hashlib
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

LIMIT_SECONDS = 60
URL = sys.argv[1]


def client(service, key="any", secret="any", **options):
    return boto3.client(service, endpoint_url=URL, region_name="us-east-1", aws_access_key_id=key,
                        aws_secret_access_key=secret, config=Config(retries={"max_attempts": 1}, **options))


sqs = client("sqs")
sns = client("sns")


def unique(word):
    return f"boto3-{word}-{uuid.uuid4().hex[:8]}"


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def expect_error(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        expect(error.response["Error"]["Code"], code)
        return error
    raise AssertionError(f"{code} was expected")


def create(word, **attributes):
    url = sqs.create_queue(QueueName=unique(word), Attributes=attributes)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def create_fifo(word, **attributes):
    name = unique(word) + ".fifo"
    return sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true", **attributes})["QueueUrl"]


def receive(url, count, **options):
    """Receives until there are so many messages; does not delete them."""
    messages = []
    end = time.time() + LIMIT_SECONDS
    while len(messages) < count:
        if time.time() > end:
            raise AssertionError(f"{len(messages)} of {count} messages came")
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=min(10, count - len(messages)),
                                     WaitTimeSeconds=2, AttributeNames=["All"], MessageAttributeNames=["All"], **options)
        messages += answer.get("Messages", [])
    return messages


def take(url, count):
    messages = receive(url, count)
    for message in messages:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return messages


def bodies(messages):
    return [message["Body"] for message in messages]


def counts(url):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return tuple(int(answer[name]) for name in names)


def wait_for(what, is_done):
    end = time.time() + LIMIT_SECONDS
    while not is_done():
        if time.time() > end:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.05)


def digest_of_attributes(attributes):
    """As AWS documents it: name, type, and value with their lengths, in the order of the names."""
    digest = hashlib.md5()

    def add(data):
        digest.update(len(data).to_bytes(4, "big") + data)

    for name in sorted(attributes):
        value = attributes[name]
        add(name.encode())
        add(value["DataType"].encode())
        if value["DataType"].startswith("Binary"):
            digest.update(b"\x02")
            add(value["BinaryValue"])
        else:
            digest.update(b"\x01")
            add(value["StringValue"].encode())
    return digest.hexdigest()


ATTRIBUTES = {
    "text": {"DataType": "String", "StringValue": "täxt <&>\r\n\U0001f600"},
    "kind": {"DataType": "String.kind", "StringValue": "x"},
    "number": {"DataType": "Number", "StringValue": "-12.50"},
    "weight": {"DataType": "Number.kg", "StringValue": "1e3"},
    "bytes": {"DataType": "Binary", "BinaryValue": bytes(range(256))},
    "image": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
}


def messages():
    """Bodies, attributes, digests, receipts, visibility, counts."""
    url, _ = create("messages", VisibilityTimeout="30")
    body = "first <&> \r\n\t\U0001f600 ü"
    sent = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=ATTRIBUTES, MessageSystemAttributes={
        "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}})
    expect(sent["MD5OfMessageBody"], hashlib.md5(body.encode()).hexdigest())
    expect(sent["MD5OfMessageAttributes"], digest_of_attributes(ATTRIBUTES))
    (message,) = receive(url, 1)
    expect(message["Body"], body)
    expect(message["MessageId"], sent["MessageId"])
    expect(message["MD5OfBody"], sent["MD5OfMessageBody"])
    expect(message["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"])
    expect(message["MessageAttributes"], ATTRIBUTES)
    expect(message["Attributes"]["ApproximateReceiveCount"], "1")
    expect(message["Attributes"]["AWSTraceHeader"], "Root=1-5759e988-bd862e3fe1be46a994272793")
    expect(abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60, True)
    expect(counts(url), (0, 1, 0))
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = receive(url, 1)
    expect(again["Attributes"]["ApproximateReceiveCount"], "2")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    expect(counts(url), (0, 0, 0))
    sqs.send_message(QueueUrl=url, MessageBody="chosen", MessageAttributes=ATTRIBUTES)
    (some,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["number", "k*", "i.*"], WaitTimeSeconds=5)["Messages"]
    expect(sorted(some["MessageAttributes"]), ["image", "number"])
    expect("Attributes" in some, False)


def batches():
    """Batches of ten, with what fails beside what does not."""
    url, _ = create("batches")
    entries = [{"Id": f"id-{n}", "MessageBody": f"body {n}", "DelaySeconds": 0} for n in range(9)]
    entries.append({"Id": "bad", "MessageBody": "x", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "no"}}})
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    expect([each["Id"] for each in answer["Successful"]], [f"id-{n}" for n in range(9)])
    expect([(each["Id"], each["SenderFault"]) for each in answer["Failed"]], [("bad", True)])
    for entry, each in zip(entries, answer["Successful"]):
        expect(each["MD5OfMessageBody"], hashlib.md5(entry["MessageBody"].encode()).hexdigest())
    got = receive(url, 9)
    expect(sorted(bodies(got)), [f"body {n}" for n in range(9)])
    changes = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 60} for n, each in enumerate(got)]
    expect(len(sqs.change_message_visibility_batch(QueueUrl=url, Entries=changes)["Successful"]), 9)
    deletes = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(got)]
    deletes[3]["ReceiptHandle"] = "garbage"
    answer = sqs.delete_message_batch(QueueUrl=url, Entries=deletes)
    expect(len(answer["Successful"]), 8)
    expect([(each["Id"], each["Code"]) for each in answer["Failed"]], [("3", "ReceiptHandleIsInvalid")])
    expect(counts(url), (0, 1, 0))


def queues():
    """Every action about queues."""
    prefix = unique("queues")
    names = [f"{prefix}-{n}" for n in range(5)]
    for name in names:
        url = sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "1"}, tags={"team": "blue"})["QueueUrl"]
        expect(sqs.create_queue(QueueName=name, Attributes={"DelaySeconds": "1"})["QueueUrl"], url)
        expect(sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
    listed = []
    for page in sqs.get_paginator("list_queues").paginate(QueueNamePrefix=prefix, PaginationConfig={"PageSize": 2}):
        listed += page["QueueUrls"]
    expect([each.rsplit("/", 1)[1] for each in listed], names)
    url = listed[0]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7", "MaximumMessageSize": "2048"})
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    expect((attributes["VisibilityTimeout"], attributes["MaximumMessageSize"], attributes["DelaySeconds"]), ("7", "2048", "1"))
    expect(attributes["QueueArn"].endswith(":" + names[0]), True)
    expect(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"team": "blue"})
    sqs.tag_queue(QueueUrl=url, Tags={"team": "red", "cost": "1 & 2"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["team"])
    expect(sqs.list_queue_tags(QueueUrl=url)["Tags"], {"cost": "1 & 2"})
    sqs.add_permission(QueueUrl=url, Label="them", AWSAccountIds=["123456789012"], Actions=["SendMessage"])
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    expect(json.loads(policy)["Statement"][0]["Sid"], "them")
    sqs.remove_permission(QueueUrl=url, Label="them")
    expect("Attributes" in sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]), False)
    sqs.send_message(QueueUrl=url, MessageBody="away", DelaySeconds=0)
    sqs.purge_queue(QueueUrl=url)
    wait_for("purge", lambda: counts(url) == (0, 0, 0))
    for each in listed:
        sqs.delete_queue(QueueUrl=each)
    expect("QueueUrls" in sqs.list_queues(QueueNamePrefix=prefix), False)


def longpoll():
    """A long poll ends when a message comes; an empty one after its time."""
    url, _ = create("longpoll", ReceiveMessageWaitTimeSeconds="20")
    got = []
    thread = threading.Thread(target=lambda: got.extend(client("sqs").receive_message(QueueUrl=url).get("Messages", [])))
    begin = time.time()
    thread.start()
    time.sleep(1)
    sqs.send_message(QueueUrl=url, MessageBody="wake up")
    thread.join(LIMIT_SECONDS)
    expect(bodies(got), ["wake up"])
    expect(time.time() - begin < 20, True)
    begin = time.time()
    expect("Messages" in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1), False)
    expect(time.time() - begin >= 0.9, True)


def delays():
    """Delays of queues and of messages."""
    url, _ = create("delays", DelaySeconds="2")
    sqs.send_message(QueueUrl=url, MessageBody="later")
    sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)
    expect(counts(url)[2], 1)
    expect(bodies(take(url, 2)), ["now", "later"])


def fifo():
    """Order within groups, sequence numbers, deduplication."""
    url = create_fifo("fifo", ContentBasedDeduplication="true")
    sent = []
    for n in range(10):
        for group in "ab":
            sent.append(sqs.send_message(QueueUrl=url, MessageBody=f"{group}{n}", MessageGroupId=group))
    numbers = [int(each["SequenceNumber"]) for each in sent]
    expect(numbers, sorted(numbers))
    again = sqs.send_message(QueueUrl=url, MessageBody="a3", MessageGroupId="a")
    expect((again["MessageId"], again["SequenceNumber"]), (sent[6]["MessageId"], sent[6]["SequenceNumber"]))
    got = take(url, 20)
    for group in "ab":
        own = [each for each in got if each["Attributes"]["MessageGroupId"] == group]
        expect(bodies(own), [f"{group}{n}" for n in range(10)])
        expect([int(each["Attributes"]["SequenceNumber"]) for each in own], sorted(numbers)[(group == "b")::2])
    entries = [{"Id": str(n), "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": f"d{n // 2}"} for n in range(10)]
    expect(len(sqs.send_message_batch(QueueUrl=url, Entries=entries)["Successful"]), 10)
    expect(len(take(url, 5)), 5)
    expect(counts(url), (0, 0, 0))
    # While one of a group is in flight nobody else gets the next one.
    for n in range(2):
        sqs.send_message(QueueUrl=url, MessageBody=f"locked {n}", MessageGroupId="lock")
    (first,) = receive(url, 1)
    expect("Messages" in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1), False)
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    expect(bodies(take(url, 1)), ["locked 1"])
    expect_error("MissingParameter", sqs.send_message, QueueUrl=url, MessageBody="no group")


def deadletters():
    """Dead letters, where they came from, and the way back."""
    dead_url, dead_arn = create("dead")
    url, arn = create("source", VisibilityTimeout="0",
                      RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2}))
    expect([each.rsplit("/")[-1] for each in sqs.list_dead_letter_source_queues(QueueUrl=dead_url)["queueUrls"]],
           [url.rsplit("/")[-1]])
    sent = sqs.send_message(QueueUrl=url, MessageBody="poison", MessageAttributes=ATTRIBUTES)
    for _ in range(2):
        receive(url, 1)
    wait_for("death", lambda: "Messages" not in sqs.receive_message(QueueUrl=url) and counts(dead_url)[0] == 1)
    (dead,) = receive(dead_url, 1, VisibilityTimeout=0)
    expect((dead["Body"], dead["MessageId"], dead["MessageAttributes"]), ("poison", sent["MessageId"], ATTRIBUTES))
    expect(dead["Attributes"]["DeadLetterQueueSourceArn"], arn)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
    handle = sqs.start_message_move_task(SourceArn=dead_arn)["TaskHandle"]
    (back,) = take(url, 1)
    expect((back["Body"], back["MessageAttributes"]), ("poison", ATTRIBUTES))
    wait_for("the task's end", lambda: sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"][0]["Status"] == "COMPLETED")
    (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
    expect(task["ApproximateNumberOfMessagesMoved"], 1)
    expect_error("AWS.SimpleQueueService.UnsupportedOperation", sqs.cancel_message_move_task, TaskHandle=handle)


def errors():
    """Refusals are the exceptions that programs catch."""
    url, _ = create("errors")
    nowhere = url + "-none"
    error = expect_error("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_attributes, QueueUrl=nowhere)
    expect(isinstance(error, sqs.exceptions.QueueDoesNotExist), True)
    expect(error.response["ResponseMetadata"]["HTTPStatusCode"], 400)
    expect_error("AWS.SimpleQueueService.NonExistentQueue", sqs.get_queue_url, QueueName=unique("none"))
    error = expect_error("ReceiptHandleIsInvalid", sqs.delete_message, QueueUrl=url, ReceiptHandle="garbage")
    expect(isinstance(error, sqs.exceptions.ReceiptHandleIsInvalid), True)
    expect_error("QueueAlreadyExists", sqs.create_queue, QueueName=url.rsplit("/")[-1], Attributes={"DelaySeconds": "9"})
    expect_error("InvalidAttributeName", sqs.set_queue_attributes, QueueUrl=url, Attributes={"Colour": "red"})
    expect_error("InvalidAttributeValue", sqs.set_queue_attributes, QueueUrl=url, Attributes={"DelaySeconds": "901"})
    expect_error("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x", DelaySeconds=901)
    expect_error("InvalidParameterValue", sqs.send_message, QueueUrl=url, MessageBody="x" * (1 << 20) + "x")
    expect_error("InvalidParameterValue", sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    expect_error("AWS.SimpleQueueService.EmptyBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=[])
    twice = [{"Id": "same", "MessageBody": "x"}] * 2
    expect_error("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", sqs.send_message_batch, QueueUrl=url, Entries=twice)
    many = [{"Id": str(n), "MessageBody": "x"} for n in range(11)]
    expect_error("AWS.SimpleQueueService.TooManyEntriesInBatchRequest", sqs.send_message_batch, QueueUrl=url, Entries=many)
    large = [{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)]
    expect_error("AWS.SimpleQueueService.BatchRequestTooLong", sqs.send_message_batch, QueueUrl=url, Entries=large)
    sqs.purge_queue(QueueUrl=url)
    expect_error("AWS.SimpleQueueService.PurgeQueueInProgress", sqs.purge_queue, QueueUrl=url)
    name = url.rsplit("/")[-1]
    sqs.delete_queue(QueueUrl=url)
    expect_error("AWS.SimpleQueueService.QueueDeletedRecently", sqs.create_queue, QueueName=name)


def subscribe(topic_arn, arn, **attributes):
    return sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=attributes,
                         ReturnSubscriptionArn=True)["SubscriptionArn"]


def topics():
    """Topics, subscriptions, filters, raw delivery, batches, tags, permissions."""
    topic = sns.create_topic(Name=unique("topic"), Tags=[{"Key": "team", "Value": "blue"}])["TopicArn"]
    wrapped_url, wrapped_arn = create("wrapped")
    raw_url, raw_arn = create("raw")
    some_url, some_arn = create("some")
    wrapped = subscribe(topic, wrapped_arn)
    subscribe(topic, raw_arn, RawMessageDelivery="true")
    some = subscribe(topic, some_arn, RawMessageDelivery="true",
                     FilterPolicy=json.dumps({"number": [{"numeric": [">", 100]}], "text": [{"prefix": "t"}, {"exists": False}]}))
    low = sns.publish(TopicArn=topic, Message="low", Subject="A subject", MessageAttributes=ATTRIBUTES)["MessageId"]
    sns.publish(TopicArn=topic, Message="high", MessageAttributes={"number": {"DataType": "Number", "StringValue": "101"}})
    envelopes = [json.loads(each["Body"]) for each in take(wrapped_url, 2)]
    first = next(each for each in envelopes if each["Message"] == "low")
    expect((first["MessageId"], first["Subject"], first["TopicArn"], first["Type"]), (low, "A subject", topic, "Notification"))
    expect(first["MessageAttributes"]["number"], {"Type": "Number", "Value": "-12.50"})
    raw = {each["Body"]: each.get("MessageAttributes") for each in take(raw_url, 2)}
    expect(raw["low"], ATTRIBUTES)
    expect(bodies(take(some_url, 1)), ["high"])
    sns.set_subscription_attributes(SubscriptionArn=some, AttributeName="FilterPolicyScope", AttributeValue="MessageBody")
    sns.set_subscription_attributes(SubscriptionArn=some, AttributeName="FilterPolicy",
                                    AttributeValue=json.dumps({"order": {"state": ["new"]}}))
    entries = [{"Id": state, "Message": json.dumps({"order": {"state": state}})} for state in ("new", "paid")]
    expect([each["Id"] for each in sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]], ["new", "paid"])
    expect([json.loads(body)["order"]["state"] for body in bodies(take(some_url, 1))], ["new"])
    expect(counts(some_url), (0, 0, 0))
    expect(len(sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]), 3)
    expect(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["SubscriptionsConfirmed"], "3")
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "cost", "Value": "2"}])
    sns.untag_resource(ResourceArn=topic, TagKeys=["team"])
    expect(sns.list_tags_for_resource(ResourceArn=topic)["Tags"], [{"Key": "cost", "Value": "2"}])
    sns.add_permission(TopicArn=topic, Label="them", AWSAccountId=["123456789012"], ActionName=["Publish"])
    sns.remove_permission(TopicArn=topic, Label="them")
    sns.unsubscribe(SubscriptionArn=wrapped)
    expect_error("InvalidParameter", sns.publish, TopicArn=topic, Message="")
    sns.delete_topic(TopicArn=topic)
    error = expect_error("NotFound", sns.publish, TopicArn=topic, Message="x")
    expect(isinstance(error, sns.exceptions.NotFoundException), True)


def fifotopics():
    """A FIFO topic keeps order and duplicates away on the way to FIFO queues."""
    topic = sns.create_topic(Name=unique("topic") + ".fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    url = create_fifo("subscribed")
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscribe(topic, arn, RawMessageDelivery="true")
    for n in range(6):
        for _ in range(2):
            sns.publish(TopicArn=topic, Message=f"{n}", MessageGroupId=f"g{n % 2}", MessageDeduplicationId=f"d{n}")
    got = take(url, 6)
    for group in range(2):
        own = [each["Body"] for each in got if each["Attributes"]["MessageGroupId"] == f"g{group}"]
        expect(own, [str(n) for n in range(group, 6, 2)])
    expect(counts(url), (0, 0, 0))


def signatures():
    """With access keys configured (KEY and SECRET in the environment) signatures are verified, in headers and in URLs."""
    key, secret = os.environ["KEY"], os.environ["SECRET"]
    good = client("sqs", key, secret)
    url = good.create_queue(QueueName=unique("signed"))["QueueUrl"]
    good.send_message(QueueUrl=url, MessageBody="signed")
    expect_error("InvalidClientTokenId", client("sqs", "AKNOBODY", secret).list_queues)
    expect_error("SignatureDoesNotMatch", client("sqs", key, "wrong").list_queues)
    client("sns", key, secret).list_topics()
    expect_error("SignatureDoesNotMatch", client("sns", key, "wrong").list_topics)
    presigned = client("sns", key, secret).generate_presigned_url("list_topics", ExpiresIn=60, HttpMethod="GET")
    expect(b"<ListTopicsResponse" in urllib.request.urlopen(presigned, timeout=LIMIT_SECONDS).read(), True)
    for changed in (presigned.replace("Action=ListTopics", "Action=ListSubscriptions"), URL + "/?Action=ListQueues"):
        try:
            urllib.request.urlopen(changed, timeout=LIMIT_SECONDS)
        except urllib.error.HTTPError as error:
            expect(error.code, 403)
        else:
            raise AssertionError(f"{changed} was answered")


if __name__ == "__main__":
    globals()[sys.argv[2]]()
