// Command sarama checks a broker with sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"pabal.test/clients/check"
)

func main() {
	check.Run(map[string]func(string) error{
		"compression": compression,
		"keys":        keys,
		"group":       group,
		"commit":      commit,
		"admin":       admin,
		"member":      member,
	})
}

func newConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Successes = true
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	return config
}

func newTopic(bootstrap, name string, partitions int32) (string, error) {
	control, err := sarama.NewClusterAdmin([]string{bootstrap}, newConfig())
	if err != nil {
		return "", err
	}
	defer control.Close()
	topic := check.Topic("sarama", name)
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}
	return topic, control.CreateTopic(topic, detail, false)
}

func produce(bootstrap string, config *sarama.Config, messages []*sarama.ProducerMessage) error {
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.SendMessages(messages)
}

// reader is a group's member that stops after a number of messages.
type reader struct {
	wanted   int
	messages chan *sarama.ConsumerMessage
	changed  func(session sarama.ConsumerGroupSession)
}

func (reader *reader) Setup(session sarama.ConsumerGroupSession) error {
	if reader.changed != nil {
		reader.changed(session)
	}
	return nil
}

func (reader *reader) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (reader *reader) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, isOpen := <-claim.Messages():
			if !isOpen {
				return nil
			}
			select {
			case reader.messages <- message:
				session.MarkMessage(message, "")
			case <-session.Context().Done():
				return nil
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

// read joins a group until count messages have come; the group's offsets are after the last of them.
func read(bootstrap, topic, name string, count int) ([]*sarama.ConsumerMessage, error) {
	group, err := sarama.NewConsumerGroup([]string{bootstrap}, name, newConfig())
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reader := &reader{messages: make(chan *sarama.ConsumerMessage)}
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{topic}, reader); err != nil {
				ended <- err
				return
			}
		}
		ended <- nil
	}()
	var messages []*sarama.ConsumerMessage
	limit := time.After(check.Limit)
	for len(messages) < count {
		select {
		case message := <-reader.messages:
			messages = append(messages, message)
		case err := <-ended:
			return nil, fmt.Errorf("the group ended: %w", err)
		case <-limit:
			return nil, fmt.Errorf("%d of %d messages", len(messages), count)
		}
	}
	cancel()
	<-ended
	return messages, group.Close()
}

func compression(bootstrap string) error {
	codecs := []sarama.CompressionCodec{
		sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy,
		sarama.CompressionLZ4, sarama.CompressionZSTD,
	}
	for _, codec := range codecs {
		topic, err := newTopic(bootstrap, codec.String(), 1)
		if err != nil {
			return err
		}
		config := newConfig()
		config.Producer.Compression = codec
		var messages []*sarama.ProducerMessage
		for index := range 2000 {
			value := fmt.Sprintf("value %d of many that repeat, repeat, repeat", index)
			messages = append(messages, &sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(value)})
		}
		if err := produce(bootstrap, config, messages); err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
		all, err := read(bootstrap, topic, topic+"-read-all", len(messages))
		if err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
		for index, message := range all {
			expected, _ := messages[index].Value.Encode()
			if string(message.Value) != string(expected) || message.Offset != int64(index) {
				return fmt.Errorf("%s: message %d is %s at %d", codec, index, message.Value, message.Offset)
			}
		}
	}
	return nil
}

func keys(bootstrap string) error {
	topic, err := newTopic(bootstrap, "keys", 6)
	if err != nil {
		return err
	}
	config := newConfig()
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	var messages []*sarama.ProducerMessage
	for index := range 5000 {
		messages = append(messages, &sarama.ProducerMessage{
			Topic: topic,
			Key:   sarama.StringEncoder(fmt.Sprintf("key-%d", index%50)),
			Value: sarama.StringEncoder(strconv.Itoa(index / 50)),
		})
	}
	if err := produce(bootstrap, config, messages); err != nil {
		return err
	}
	all, err := read(bootstrap, topic, topic+"-read-all", len(messages))
	if err != nil {
		return err
	}
	next := map[string]int{}
	for _, message := range all {
		key := string(message.Key)
		if string(message.Value) != strconv.Itoa(next[key]) {
			return fmt.Errorf("%s: %s instead of %d", key, message.Value, next[key])
		}
		next[key]++
	}
	return nil
}

func member(bootstrap string) error {
	topic := os.Getenv("TOPIC")
	group, err := sarama.NewConsumerGroup([]string{bootstrap}, os.Getenv("GROUP"), newConfig())
	if err != nil {
		return err
	}
	reader := &reader{
		messages: make(chan *sarama.ConsumerMessage),
		changed: func(session sarama.ConsumerGroupSession) {
			fmt.Println("assigned", len(session.Claims()[topic]))
		},
	}
	go func() {
		for message := range reader.messages {
			fmt.Println("value", string(message.Value))
		}
	}()
	for {
		if err := group.Consume(context.Background(), []string{topic}, reader); err != nil {
			return err
		}
	}
}

func group(bootstrap string) error {
	topic, err := newTopic(bootstrap, "group", 6)
	if err != nil {
		return err
	}
	return check.Group(bootstrap, topic, topic+"-group", func(values []string) error {
		var messages []*sarama.ProducerMessage
		for _, value := range values {
			messages = append(messages, &sarama.ProducerMessage{
				Topic: topic, Key: sarama.StringEncoder(value), Value: sarama.StringEncoder(value),
			})
		}
		return produce(bootstrap, newConfig(), messages)
	})
}

func commit(bootstrap string) error {
	topic, err := newTopic(bootstrap, "commit", 1)
	if err != nil {
		return err
	}
	var messages []*sarama.ProducerMessage
	for index := range 10 {
		messages = append(messages, &sarama.ProducerMessage{
			Topic: topic, Value: sarama.StringEncoder(strconv.Itoa(index)),
		})
	}
	if err := produce(bootstrap, newConfig(), messages); err != nil {
		return err
	}
	client, err := sarama.NewClient([]string{bootstrap}, newConfig())
	if err != nil {
		return err
	}
	defer client.Close()
	name := topic + "-group"
	offsets, err := sarama.NewOffsetManagerFromClient(name, client)
	if err != nil {
		return err
	}
	partition, err := offsets.ManagePartition(topic, 0)
	if err != nil {
		return err
	}
	partition.MarkOffset(4, "suite")
	offsets.Commit()
	if err := errors.Join(partition.Close(), offsets.Close()); err != nil {
		return err
	}
	rest, err := read(bootstrap, topic, name, 6)
	if err != nil {
		return err
	}
	for index, message := range rest {
		if string(message.Value) != strconv.Itoa(index+4) {
			return fmt.Errorf("%s instead of %d", message.Value, index+4)
		}
	}
	control, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return err
	}
	fetched, err := control.ListConsumerGroupOffsets(name, map[string][]int32{topic: {0}})
	if err != nil {
		return err
	}
	if offset := fetched.GetBlock(topic, 0).Offset; offset != 10 {
		return fmt.Errorf("committed %d instead of 10", offset)
	}
	return nil
}

func admin(bootstrap string) error {
	topic, err := newTopic(bootstrap, "admin", 2)
	if err != nil {
		return err
	}
	config := newConfig()
	config.Producer.Partitioner = sarama.NewManualPartitioner
	client, err := sarama.NewClient([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer client.Close()
	control, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return err
	}
	var exists *sarama.TopicError
	err = control.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false)
	if !errors.As(err, &exists) || exists.Err != sarama.ErrTopicAlreadyExists {
		return fmt.Errorf("created twice: %w", err)
	}
	if err := control.CreatePartitions(topic, 4, nil, false); err != nil {
		return fmt.Errorf("partitions: %w", err)
	}
	described, err := control.DescribeTopics([]string{topic})
	if err != nil || len(described[0].Partitions) != 4 {
		return fmt.Errorf("%d partitions, %w", len(described[0].Partitions), err)
	}
	value := "3600000"
	change := map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}
	if err := control.IncrementalAlterConfig(sarama.TopicResource, topic, change, false); err != nil {
		return fmt.Errorf("configs: %w", err)
	}
	entries, err := control.DescribeConfig(sarama.ConfigResource{
		Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"},
	})
	if err != nil || len(entries) != 1 || entries[0].Value != value {
		return fmt.Errorf("retention.ms is %v, %w", entries, err)
	}
	producer, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := client.RefreshMetadata(topic); err != nil {
		return err
	}
	for range 10 {
		message := &sarama.ProducerMessage{Topic: topic, Partition: 3, Value: sarama.StringEncoder("x")}
		if _, _, err := producer.SendMessage(message); err != nil {
			return err
		}
	}
	if err := control.DeleteRecords(topic, map[int32]int64{3: 6}); err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	start, err := client.GetOffset(topic, 3, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	end, err := client.GetOffset(topic, 3, sarama.OffsetNewest)
	if err != nil {
		return err
	}
	if start != 6 || end != 10 {
		return fmt.Errorf("offsets %d to %d", start, end)
	}
	name := topic + "-group"
	if _, err := read(bootstrap, topic, name, 4); err != nil {
		return err
	}
	groups, err := control.ListConsumerGroups()
	if err != nil {
		return err
	}
	if _, found := groups[name]; !found {
		return fmt.Errorf("%s is not listed", name)
	}
	if err := control.DeleteConsumerGroup(name); err != nil {
		return fmt.Errorf("delete group: %w", err)
	}
	brokers, _, err := control.DescribeCluster()
	if err != nil || len(brokers) != 1 {
		return fmt.Errorf("%d brokers, %w", len(brokers), err)
	}
	if err := control.DeleteTopic(topic); err != nil {
		return fmt.Errorf("delete topic: %w", err)
	}
	return check.WaitFor("deletion", func() bool {
		topics, err := control.ListTopics()
		_, found := topics[topic]
		return err == nil && !found
	})
}
