// Command franz checks a broker with franz-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

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

func withLimit() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), check.Limit)
}

func newTopic(bootstrap, name string, partitions int32) (string, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := withLimit()
	defer cancel()
	topic := check.Topic("franz", name)
	_, err = kadm.NewClient(client).CreateTopic(ctx, partitions, 1, nil, topic)
	return topic, err
}

func produce(bootstrap string, records []*kgo.Record, options ...kgo.Opt) error {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := withLimit()
	defer cancel()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func readAll(bootstrap, topic string, count int) ([]*kgo.Record, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return poll(client, count)
}

func poll(client *kgo.Client, count int) ([]*kgo.Record, error) {
	ctx, cancel := withLimit()
	defer cancel()
	var records []*kgo.Record
	for len(records) < count {
		fetches := client.PollRecords(ctx, count-len(records))
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(records), count, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records, nil
}

func compression(bootstrap string) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	for name, codec := range codecs {
		topic, err := newTopic(bootstrap, name, 1)
		if err != nil {
			return err
		}
		var records []*kgo.Record
		for index := range 2000 {
			records = append(records, &kgo.Record{
				Topic:   topic,
				Value:   fmt.Appendf(nil, "value %d of many that repeat, repeat, repeat", index),
				Headers: []kgo.RecordHeader{{Key: "index", Value: []byte(strconv.Itoa(index))}},
			})
		}
		if err := produce(bootstrap, records, kgo.ProducerBatchCompression(codec)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		read, err := readAll(bootstrap, topic, len(records))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for index, record := range read {
			isSame := string(record.Value) == string(records[index].Value) &&
				string(record.Headers[0].Value) == strconv.Itoa(index)
			if !isSame || record.Offset != int64(index) {
				return fmt.Errorf("%s: record %d is %s at %d", name, index, record.Value, record.Offset)
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
	var records []*kgo.Record
	for index := range 5000 {
		records = append(records, &kgo.Record{
			Topic: topic,
			Key:   fmt.Appendf(nil, "key-%d", index%50),
			Value: []byte(strconv.Itoa(index / 50)),
		})
	}
	// franz-go is idempotent unless told otherwise.
	if err := produce(bootstrap, records); err != nil {
		return err
	}
	read, err := readAll(bootstrap, topic, len(records))
	if err != nil {
		return err
	}
	next := map[string]int{}
	partitions := map[string]int32{}
	for _, record := range read {
		key := string(record.Key)
		if string(record.Value) != strconv.Itoa(next[key]) {
			return fmt.Errorf("%s: %s instead of %d", key, record.Value, next[key])
		}
		if partition, found := partitions[key]; found && partition != record.Partition {
			return fmt.Errorf("%s is in two partitions", key)
		}
		partitions[key] = record.Partition
		next[key]++
	}
	return nil
}

func member(bootstrap string) error {
	assigned := 0
	count := func(change int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			assigned += change * len(partitions[os.Getenv("TOPIC")])
			fmt.Println("assigned", assigned)
		}
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap),
		kgo.ConsumerGroup(os.Getenv("GROUP")),
		kgo.ConsumeTopics(os.Getenv("TOPIC")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6_000_000_000),
		kgo.HeartbeatInterval(500_000_000),
		kgo.AutoCommitInterval(200_000_000),
		kgo.OnPartitionsAssigned(count(1)),
		kgo.OnPartitionsRevoked(count(-1)),
		kgo.OnPartitionsLost(count(-1)),
	)
	if err != nil {
		return err
	}
	for {
		client.PollFetches(context.Background()).EachRecord(func(record *kgo.Record) {
			fmt.Println("value", string(record.Value))
		})
	}
}

func group(bootstrap string) error {
	topic, err := newTopic(bootstrap, "group", 6)
	if err != nil {
		return err
	}
	return check.Group(bootstrap, topic, topic+"-group", func(values []string) error {
		var records []*kgo.Record
		for _, value := range values {
			records = append(records, &kgo.Record{Topic: topic, Key: []byte(value), Value: []byte(value)})
		}
		return produce(bootstrap, records)
	})
}

func commit(bootstrap string) error {
	topic, err := newTopic(bootstrap, "commit", 1)
	if err != nil {
		return err
	}
	var records []*kgo.Record
	for index := range 10 {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(index))})
	}
	if err := produce(bootstrap, records); err != nil {
		return err
	}
	next := 0
	for _, count := range []int{4, 6} {
		client, err := kgo.NewClient(
			kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(topic+"-group"), kgo.ConsumeTopics(topic),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
		)
		if err != nil {
			return err
		}
		read, err := poll(client, count)
		if err != nil {
			return err
		}
		for _, record := range read {
			if string(record.Value) != strconv.Itoa(next) {
				return fmt.Errorf("%s instead of %d", record.Value, next)
			}
			next++
		}
		ctx, cancel := withLimit()
		err = client.CommitRecords(ctx, read...)
		cancel()
		client.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func admin(bootstrap string) error {
	topic, err := newTopic(bootstrap, "admin", 2)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := withLimit()
	defer cancel()
	control := kadm.NewClient(client)
	if _, err := control.CreateTopic(ctx, 2, 1, nil, topic); !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("created twice: %w", err)
	}
	grown, err := control.UpdatePartitions(ctx, 4, topic)
	if err = errors.Join(err, grown.Error()); err != nil {
		return fmt.Errorf("partitions: %w", err)
	}
	topics, err := control.ListTopics(ctx, topic)
	if err != nil || len(topics[topic].Partitions) != 4 {
		return fmt.Errorf("%d partitions, %w", len(topics[topic].Partitions), err)
	}
	value := "3600000"
	altered, err := control.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &value}}, topic)
	if err != nil {
		return err
	}
	if err := altered[0].Err; err != nil {
		return fmt.Errorf("configs: %w", err)
	}
	configs, err := control.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	isSet := false
	for _, config := range configs[0].Configs {
		isSet = isSet || config.Key == "retention.ms" && config.MaybeValue() == value
	}
	if !isSet {
		return errors.New("retention.ms was not set")
	}
	for range 10 {
		record := &kgo.Record{Topic: topic, Partition: 3, Value: []byte("x")}
		if err := client.ProduceSync(ctx, record).FirstErr(); err != nil {
			return err
		}
	}
	var before kadm.Offsets
	before.AddOffset(topic, 3, 6, -1)
	if _, err := control.DeleteRecords(ctx, before); err != nil {
		return fmt.Errorf("delete records: %w", err)
	}
	starts, err := control.ListStartOffsets(ctx, topic)
	if err != nil {
		return err
	}
	ends, err := control.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	start, _ := starts.Lookup(topic, 3)
	end, _ := ends.Lookup(topic, 3)
	if start.Offset != 6 || end.Offset != 10 {
		return fmt.Errorf("offsets %d to %d", start.Offset, end.Offset)
	}
	var offsets kadm.Offsets
	offsets.AddOffset(topic, 3, 8, -1)
	name := topic + "-group"
	if err := control.CommitAllOffsets(ctx, name, offsets); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	lags, err := control.Lag(ctx, name)
	if err != nil || lags[name].Lag.Total() != 2 {
		return fmt.Errorf("lag %d, %w", lags[name].Lag.Total(), err)
	}
	if _, err := control.DeleteGroup(ctx, name); err != nil {
		return fmt.Errorf("delete group: %w", err)
	}
	metadata, err := control.BrokerMetadata(ctx)
	if err != nil || len(metadata.Brokers) != 1 {
		return fmt.Errorf("%d brokers, %w", len(metadata.Brokers), err)
	}
	if _, err := control.DeleteTopic(ctx, topic); err != nil {
		return fmt.Errorf("delete topic: %w", err)
	}
	return check.WaitFor("deletion", func() bool {
		left, err := control.ListTopics(ctx)
		return err == nil && !left.Has(topic)
	})
}
