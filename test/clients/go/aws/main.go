// Program aws checks an SQS and SNS endpoint with the AWS SDK for Go 2, which verifies the digests of what it sends and
// receives.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"

	"pabal.test/clients/check"
)

func main() {
	check.Run(map[string]func(string) error{
		"messages":    guarded(messages),
		"batches":     guarded(batches),
		"queues":      guarded(queues),
		"longpoll":    guarded(longPoll),
		"fifo":        guarded(fifo),
		"deadletters": guarded(deadLetters),
		"errors":      guarded(mistakes),
		"topics":      guarded(topics),
	})
}

// client is one endpoint; its methods end the check by a panic with what went wrong.
type client struct {
	*sqs.Client
	topics *sns.Client
	ctx    context.Context
}

// guarded makes a check of a function that panics with errors.
func guarded(run func(*client)) func(string) error {
	return func(url string) (err error) {
		ctx, stop := context.WithTimeout(context.Background(), check.Limit)
		defer stop()
		defer func() {
			if failure, isError := recover().(error); isError {
				err = failure
			}
		}()
		provider := credentials.NewStaticCredentialsProvider("any", "any", "")
		run(&client{
			Client: sqs.New(sqs.Options{BaseEndpoint: &url, Region: "us-east-1", Credentials: provider, RetryMaxAttempts: 1}),
			topics: sns.New(sns.Options{BaseEndpoint: &url, Region: "us-east-1", Credentials: provider, RetryMaxAttempts: 1}),
			ctx:    ctx,
		})
		return nil
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func expect(what string, actual, expected any) {
	if !reflect.DeepEqual(actual, expected) {
		panic(fmt.Errorf("%s: %#v instead of %#v", what, actual, expected))
	}
}

func expectCode(code string, err error) {
	var refusal smithy.APIError
	if !errors.As(err, &refusal) || refusal.ErrorCode() != code {
		panic(fmt.Errorf("%v instead of %s", err, code))
	}
}

func unique(word string) string { return check.Topic("go", word) }

func (c *client) create(name string, attributes map[string]string) *string {
	return must(c.CreateQueue(c.ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})).QueueUrl
}

func (c *client) attribute(url *string, name types.QueueAttributeName) string {
	answer := must(c.GetQueueAttributes(c.ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{name},
	}))
	return answer.Attributes[string(name)]
}

func (c *client) send(url *string, body string) *sqs.SendMessageOutput {
	return must(c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body}))
}

// receive polls until there are so many messages.
func (c *client) receive(url *string, count int) []types.Message {
	var got []types.Message
	for len(got) < count {
		answer := must(c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{
			QueueUrl: url, MaxNumberOfMessages: int32(min(10, count-len(got))), WaitTimeSeconds: 5,
			MessageAttributeNames:       []string{"All"},
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
		}))
		got = append(got, answer.Messages...)
	}
	return got
}

func (c *client) take(url *string, count int) []string {
	var bodies []string
	for _, message := range c.receive(url, count) {
		bodies = append(bodies, *message.Body)
		must(c.DeleteMessage(c.ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: message.ReceiptHandle}))
	}
	return bodies
}

func messages(c *client) {
	url := c.create(unique("messages"), nil)
	attributes := map[string]types.MessageAttributeValue{
		"text":   {DataType: aws.String("String.kind"), StringValue: aws.String("täxt <&>\r\n")},
		"number": {DataType: aws.String("Number"), StringValue: aws.String("-12.50")},
		"bytes":  {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255, 10}},
	}
	body := "first <&> \r\n\t ü"
	sent := must(c.SendMessage(c.ctx, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: &body, MessageAttributes: attributes,
		MessageSystemAttributes: map[string]types.MessageSystemAttributeValue{
			"AWSTraceHeader": {DataType: aws.String("String"), StringValue: aws.String("Root=1-2-3")},
		},
	}))
	got := c.receive(url, 1)[0]
	expect("body", *got.Body, body)
	expect("id", *got.MessageId, *sent.MessageId)
	expect("digest of attributes", *got.MD5OfMessageAttributes, *sent.MD5OfMessageAttributes)
	expect("attributes", got.MessageAttributes, attributes)
	expect("trace", got.Attributes["AWSTraceHeader"], "Root=1-2-3")
	must(c.ChangeMessageVisibility(c.ctx, &sqs.ChangeMessageVisibilityInput{
		QueueUrl: url, ReceiptHandle: got.ReceiptHandle, VisibilityTimeout: 0,
	}))
	again := c.receive(url, 1)[0]
	expect("count", again.Attributes["ApproximateReceiveCount"], "2")
	must(c.DeleteMessage(c.ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: again.ReceiptHandle}))
	expect("in flight", c.attribute(url, "ApproximateNumberOfMessagesNotVisible"), "0")
}

func batches(c *client) {
	url := c.create(unique("batches"), nil)
	var entries []types.SendMessageBatchRequestEntry
	for n := 0; n < 10; n++ {
		entries = append(entries, types.SendMessageBatchRequestEntry{
			Id: aws.String(strconv.Itoa(n)), MessageBody: aws.String(fmt.Sprintf("body %d", n)),
		})
	}
	answer := must(c.SendMessageBatch(c.ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: entries}))
	expect("successful", len(answer.Successful), 10)
	var changes []types.ChangeMessageVisibilityBatchRequestEntry
	var deletes []types.DeleteMessageBatchRequestEntry
	for n, message := range c.receive(url, 10) {
		id := strconv.Itoa(n)
		changes = append(changes, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: &id, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 60,
		})
		deletes = append(deletes, types.DeleteMessageBatchRequestEntry{Id: &id, ReceiptHandle: message.ReceiptHandle})
	}
	changed := must(c.ChangeMessageVisibilityBatch(c.ctx, &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: url, Entries: changes}))
	expect("changed", len(changed.Successful), 10)
	deletes[4].ReceiptHandle = aws.String("garbage")
	deleted := must(c.DeleteMessageBatch(c.ctx, &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: deletes}))
	expect("deleted", len(deleted.Successful), 9)
	expect("failed", *deleted.Failed[0].Code, "ReceiptHandleIsInvalid")
}

func queues(c *client) {
	prefix := unique("queues")
	for n := 0; n < 3; n++ {
		c.create(fmt.Sprintf("%s-%d", prefix, n), map[string]string{"DelaySeconds": "1"})
	}
	var urls []string
	pages := sqs.NewListQueuesPaginator(c.Client, &sqs.ListQueuesInput{QueueNamePrefix: &prefix, MaxResults: aws.Int32(2)})
	for pages.HasMorePages() {
		urls = append(urls, must(pages.NextPage(c.ctx)).QueueUrls...)
	}
	expect("listed", len(urls), 3)
	url := &urls[0]
	must(c.SetQueueAttributes(c.ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "7"}}))
	expect("visibility", c.attribute(url, "VisibilityTimeout"), "7")
	must(c.TagQueue(c.ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "1", "b": "2"}}))
	must(c.UntagQueue(c.ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"a"}}))
	expect("tags", must(c.ListQueueTags(c.ctx, &sqs.ListQueueTagsInput{QueueUrl: url})).Tags, map[string]string{"b": "2"})
	must(c.AddPermission(c.ctx, &sqs.AddPermissionInput{
		QueueUrl: url, Label: aws.String("them"), AWSAccountIds: []string{"123456789012"}, Actions: []string{"SendMessage"},
	}))
	must(c.RemovePermission(c.ctx, &sqs.RemovePermissionInput{QueueUrl: url, Label: aws.String("them")}))
	c.send(url, "away")
	must(c.PurgeQueue(c.ctx, &sqs.PurgeQueueInput{QueueUrl: url}))
	for _, each := range urls {
		must(c.DeleteQueue(c.ctx, &sqs.DeleteQueueInput{QueueUrl: &each}))
	}
}

func longPoll(c *client) {
	url := c.create(unique("longpoll"), nil)
	got := make(chan *sqs.ReceiveMessageOutput, 1)
	go func() {
		answer, err := c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		if err != nil {
			fmt.Println(err)
		}
		got <- answer
	}()
	time.Sleep(500 * time.Millisecond)
	c.send(url, "wake up")
	answer := <-got
	expect("woken", answer != nil && len(answer.Messages) == 1 && *answer.Messages[0].Body == "wake up", true)
}

func fifo(c *client) {
	url := c.create(unique("fifo")+".fifo", map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	var expected []string
	for n := 0; n < 10; n++ {
		body := strconv.Itoa(n)
		expected = append(expected, body)
		var numbers []string
		for range 2 {
			sent := must(c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body, MessageGroupId: aws.String("g")}))
			numbers = append(numbers, *sent.SequenceNumber)
		}
		expect("number of what was sent twice", numbers[0], numbers[1])
	}
	expect("order", c.take(url, 10), expected)
}

func deadLetters(c *client) {
	deadURL := c.create(unique("dead"), nil)
	arn := c.attribute(deadURL, "QueueArn")
	policy := string(must(json.Marshal(map[string]any{"deadLetterTargetArn": arn, "maxReceiveCount": 1})))
	url := c.create(unique("source"), map[string]string{"VisibilityTimeout": "0", "RedrivePolicy": policy})
	sent := c.send(url, "poison")
	c.receive(url, 1)
	var dead types.Message
	for dead.Body == nil {
		must(c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: url}))
		for _, message := range must(c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: deadURL, VisibilityTimeout: 1})).Messages {
			dead = message
		}
	}
	expect("id", *dead.MessageId, *sent.MessageId)
	sources := must(c.ListDeadLetterSourceQueues(c.ctx, &sqs.ListDeadLetterSourceQueuesInput{QueueUrl: deadURL}))
	expect("sources", sources.QueueUrls, []string{*url})
	must(c.SetQueueAttributes(c.ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"VisibilityTimeout": "30"}}))
	for len(must(c.ReceiveMessage(c.ctx, &sqs.ReceiveMessageInput{QueueUrl: deadURL, WaitTimeSeconds: 5})).Messages) == 0 {
	}
	c.send(deadURL, "second")
	must(c.StartMessageMoveTask(c.ctx, &sqs.StartMessageMoveTaskInput{SourceArn: &arn}))
	tasks := must(c.ListMessageMoveTasks(c.ctx, &sqs.ListMessageMoveTasksInput{SourceArn: &arn}))
	expect("tasks", len(tasks.Results), 1)
}

func mistakes(c *client) {
	url := c.create(unique("errors"), nil)
	_, err := c.GetQueueUrl(c.ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(unique("none"))})
	var missing *types.QueueDoesNotExist
	expect("class", errors.As(err, &missing), true)
	_, err = c.DeleteMessage(c.ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("garbage")})
	var receipt *types.ReceiptHandleIsInvalid
	expect("class", errors.As(err, &receipt), true)
	_, err = c.SetQueueAttributes(c.ctx, &sqs.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"Colour": "red"}})
	var name *types.InvalidAttributeName
	expect("class", errors.As(err, &name), true)
	_, err = c.SendMessageBatch(c.ctx, &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{}})
	var empty *types.EmptyBatchRequest
	expect("class", errors.As(err, &empty), true)
	body := strings.Repeat("x", 1<<20) + "x"
	_, err = c.SendMessage(c.ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body})
	expectCode("InvalidParameterValue", err)
}

func topics(c *client) {
	topic := must(c.topics.CreateTopic(c.ctx, &sns.CreateTopicInput{Name: aws.String(unique("topic"))})).TopicArn
	url := c.create(unique("subscribed"), nil)
	subscription := must(c.topics.Subscribe(c.ctx, &sns.SubscribeInput{
		TopicArn: topic, Protocol: aws.String("sqs"), Endpoint: aws.String(c.attribute(url, "QueueArn")),
		Attributes: map[string]string{"RawMessageDelivery": "true", "FilterPolicy": `{"kind":["new"]}`},
	})).SubscriptionArn
	for _, kind := range []string{"old", "new"} {
		must(c.topics.Publish(c.ctx, &sns.PublishInput{TopicArn: topic, Message: aws.String(kind), MessageAttributes: map[string]snstypes.MessageAttributeValue{
			"kind": {DataType: aws.String("String"), StringValue: &kind},
		}}))
	}
	expect("filtered", c.take(url, 1), []string{"new"})
	must(c.topics.SetSubscriptionAttributes(c.ctx, &sns.SetSubscriptionAttributesInput{
		SubscriptionArn: subscription, AttributeName: aws.String("FilterPolicy"), AttributeValue: aws.String(""),
	}))
	batch := must(c.topics.PublishBatch(c.ctx, &sns.PublishBatchInput{TopicArn: topic, PublishBatchRequestEntries: []snstypes.PublishBatchRequestEntry{
		{Id: aws.String("a"), Message: aws.String("1")}, {Id: aws.String("b"), Message: aws.String("2")},
	}}))
	expect("batch", len(batch.Successful), 2)
	bodies := c.take(url, 2)
	sort.Strings(bodies)
	expect("bodies", bodies, []string{"1", "2"})
	must(c.topics.Unsubscribe(c.ctx, &sns.UnsubscribeInput{SubscriptionArn: subscription}))
	must(c.topics.DeleteTopic(c.ctx, &sns.DeleteTopicInput{TopicArn: topic}))
	_, err := c.topics.Publish(c.ctx, &sns.PublishInput{TopicArn: topic, Message: aws.String("x")})
	var missing *snstypes.NotFoundException
	expect("class", errors.As(err, &missing), true)
}
