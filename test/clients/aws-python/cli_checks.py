"""Checks of an SQS and SNS endpoint with the AWS CLI: `python cli_checks.py URL CHECK`."""

import json
import os
import subprocess
import sys
import tempfile
import time
import uuid

LIMIT_SECONDS = 60
URL = sys.argv[1]
AWS = os.path.join(os.path.dirname(sys.executable), "aws")


def aws(*words, fails_with=None):
    """Runs the CLI as its users do, and returns what it printed as JSON."""
    environment = {
        **os.environ, "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "", "AWS_MAX_ATTEMPTS": "1", "AWS_CONFIG_FILE": os.devnull,
    }
    result = subprocess.run([sys.executable, AWS, "--endpoint-url", URL, "--output", "json", *words],
                            env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False)
    if fails_with is not None:
        if result.returncode == 0 or fails_with not in result.stderr:
            raise AssertionError(f"{words} should have failed with {fails_with}: {result.stderr}")
        return None
    if result.returncode != 0:
        raise AssertionError(f"{words}: {result.stderr}")
    return json.loads(result.stdout) if result.stdout.strip() else {}


def unique(word):
    return f"cli-{word}-{uuid.uuid4().hex[:8]}"


def expect(actual, expected):
    if actual != expected:
        raise AssertionError(f"{actual!r} instead of {expected!r}")


def queues():
    """What a README shows: create, send, receive, delete, list, attributes, purge."""
    name = unique("queue")
    url = aws("sqs", "create-queue", "--queue-name", name, "--attributes", "VisibilityTimeout=5,DelaySeconds=0")["QueueUrl"]
    expect(aws("sqs", "get-queue-url", "--queue-name", name)["QueueUrl"], url)
    attributes = {"number": {"DataType": "Number", "StringValue": "7"}, "text": {"DataType": "String", "StringValue": "täxt"}}
    sent = aws("sqs", "send-message", "--queue-url", url, "--message-body", "hällo", "--message-attributes", json.dumps(attributes))
    (message,) = aws("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "10",
                     "--message-attribute-names", "All", "--attribute-names", "All")["Messages"]
    expect((message["Body"], message["MessageId"], message["MessageAttributes"]), ("hällo", sent["MessageId"], attributes))
    aws("sqs", "change-message-visibility", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"], "--visibility-timeout", "9")
    aws("sqs", "delete-message", "--queue-url", url, "--receipt-handle", message["ReceiptHandle"])
    entries = [{"Id": str(n), "MessageBody": f"body {n}"} for n in range(3)]
    expect(len(aws("sqs", "send-message-batch", "--queue-url", url, "--entries", json.dumps(entries))["Successful"]), 3)
    counted = aws("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "ApproximateNumberOfMessages")
    expect(counted["Attributes"]["ApproximateNumberOfMessages"], "3")
    aws("sqs", "purge-queue", "--queue-url", url)
    expect(aws("sqs", "list-queues", "--queue-name-prefix", name)["QueueUrls"], [url])
    aws("sqs", "delete-queue", "--queue-url", url)
    aws("sqs", "get-queue-url", "--queue-name", name, fails_with="(AWS.SimpleQueueService.NonExistentQueue)")


def redrive():
    """Dead letters with attributes from a file, and the task that moves them back."""
    dead = aws("sqs", "create-queue", "--queue-name", unique("dead"))["QueueUrl"]
    arn = aws("sqs", "get-queue-attributes", "--queue-url", dead, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
    policy = {"VisibilityTimeout": "0", "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(policy, file)
        file.flush()
        url = aws("sqs", "create-queue", "--queue-name", unique("source"), "--attributes", f"file://{file.name}")["QueueUrl"]
    aws("sqs", "send-message", "--queue-url", url, "--message-body", "poison")
    end = time.time() + LIMIT_SECONDS
    while "Messages" not in aws("sqs", "receive-message", "--queue-url", dead, "--visibility-timeout", "0"):
        aws("sqs", "receive-message", "--queue-url", url)
        if time.time() > end:
            raise AssertionError("the message did not die")
    aws("sqs", "set-queue-attributes", "--queue-url", url, "--attributes", "VisibilityTimeout=30")
    aws("sqs", "start-message-move-task", "--source-arn", arn)
    (back,) = aws("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "20")["Messages"]
    expect(back["Body"], "poison")
    (task,) = aws("sqs", "list-message-move-tasks", "--source-arn", arn)["Results"]
    expect(task["SourceArn"], arn)


def topics():
    """A topic to a queue."""
    topic = aws("sns", "create-topic", "--name", unique("topic"))["TopicArn"]
    url = aws("sqs", "create-queue", "--queue-name", unique("subscribed"))["QueueUrl"]
    arn = aws("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
    aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn,
        "--attributes", "RawMessageDelivery=true")
    aws("sns", "publish", "--topic-arn", topic, "--message", "to all")
    (message,) = aws("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "20")["Messages"]
    expect(message["Body"], "to all")
    expect(len(aws("sns", "list-subscriptions-by-topic", "--topic-arn", topic)["Subscriptions"]), 1)
    aws("sns", "tag-resource", "--resource-arn", topic, "--tags", "Key=a,Value=b")
    aws("sns", "delete-topic", "--topic-arn", topic)


if __name__ == "__main__":
    globals()[sys.argv[2]]()
