// Program amqp091 checks a broker with RabbitMQ's Go client.
package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"pabal.test/clients/check"
)

func main() {
	check.Run(map[string]func(string) error{
		"properties":   properties,
		"confirms":     confirms,
		"settle":       settle,
		"routing":      routing,
		"transactions": transactions,
		"errors":       mistakes,
		"cancel":       cancel,
	})
}

// open returns a channel on a connection of its own, and what closes both.
func open(url string) (*amqp.Channel, func(), error) {
	connection, err := amqp.Dial(url)
	if err != nil {
		return nil, nil, err
	}
	channel, err := connection.Channel()
	if err != nil {
		connection.Close()
		return nil, nil, err
	}
	return channel, func() { connection.Close() }, nil
}

func exclusive(channel *amqp.Channel, arguments amqp.Table) (string, error) {
	queue, err := channel.QueueDeclare("", false, false, true, false, arguments)
	return queue.Name, err
}

// send publishes and waits until everything is confirmed.
func send(channel *amqp.Channel, exchange, key string, messages ...amqp.Publishing) error {
	ctx, stop := context.WithTimeout(context.Background(), check.Limit)
	defer stop()
	for _, message := range messages {
		confirmation, err := channel.PublishWithDeferredConfirmWithContext(ctx, exchange, key, false, false, message)
		if err != nil {
			return err
		}
		if confirmation == nil {
			continue
		}
		if isAcked, err := confirmation.WaitContext(ctx); err != nil || !isAcked {
			return fmt.Errorf("%s was not confirmed: %v", message.Body, err)
		}
	}
	return nil
}

func texts(words ...string) []amqp.Publishing {
	messages := make([]amqp.Publishing, 0, len(words))
	for _, word := range words {
		messages = append(messages, amqp.Publishing{Body: []byte(word)})
	}
	return messages
}

func next(deliveries <-chan amqp.Delivery) (amqp.Delivery, error) {
	select {
	case delivery, isOpen := <-deliveries:
		if !isOpen {
			return delivery, errors.New("the consumer was closed")
		}
		return delivery, nil
	case <-time.After(check.Limit):
		return amqp.Delivery{}, errors.New("no delivery came")
	}
}

func expect(what string, actual, expected any) error {
	if !reflect.DeepEqual(actual, expected) {
		return fmt.Errorf("%s: %#v instead of %#v", what, actual, expected)
	}
	return nil
}

func properties(url string) error {
	channel, end, err := open(url)
	if err != nil {
		return err
	}
	defer end()
	queue, err := exclusive(channel, nil)
	if err != nil {
		return err
	}
	sent := amqp.Publishing{
		Headers: amqp.Table{
			"bool": true, "byte": byte(7), "int8": int8(-7), "int16": int16(-300), "int32": int32(70_000),
			"int64": int64(1) << 40, "float32": float32(1.5), "float64": 2.25, "text": "täxt", "nothing": nil,
			"bytes": []byte{0, 255}, "time": time.Unix(1_700_000_000, 0), "decimal": amqp.Decimal{Scale: 2, Value: 123},
			"list": []any{int32(1), "two"}, "table": amqp.Table{"inner": int64(1)},
		},
		ContentType: "text/plain", ContentEncoding: "identity", DeliveryMode: amqp.Persistent, Priority: 3,
		CorrelationId: "correlation", ReplyTo: "answers", Expiration: "60000", MessageId: "message",
		Timestamp: time.Unix(1_700_000_000, 0), Type: "kind", UserId: "guest", AppId: "application", Body: []byte{0, 1, 255},
	}
	if err := send(channel, "", queue, sent); err != nil {
		return err
	}
	deliveries, err := channel.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	got, err := next(deliveries)
	if err != nil {
		return err
	}
	for _, pair := range []struct {
		what          string
		got, expected any
	}{
		{"body", got.Body, sent.Body}, {"content type", got.ContentType, sent.ContentType},
		{"content encoding", got.ContentEncoding, sent.ContentEncoding}, {"mode", got.DeliveryMode, sent.DeliveryMode},
		{"priority", got.Priority, sent.Priority}, {"correlation", got.CorrelationId, sent.CorrelationId},
		{"reply", got.ReplyTo, sent.ReplyTo}, {"expiration", got.Expiration, sent.Expiration},
		{"id", got.MessageId, sent.MessageId}, {"type", got.Type, sent.Type}, {"user", got.UserId, sent.UserId},
		{"application", got.AppId, sent.AppId}, {"time", got.Timestamp.Unix(), sent.Timestamp.Unix()},
	} {
		if err := expect(pair.what, pair.got, pair.expected); err != nil {
			return err
		}
	}
	for name, value := range sent.Headers {
		if moment, isTime := value.(time.Time); isTime {
			received, _ := got.Headers[name].(time.Time)
			if !received.Equal(moment) {
				return fmt.Errorf("header %s: %v", name, got.Headers[name])
			}
			continue
		}
		if err := expect("header "+name, got.Headers[name], value); err != nil {
			return err
		}
	}
	return nil
}

func confirms(url string) error {
	channel, end, err := open(url)
	if err != nil {
		return err
	}
	defer end()
	if err := channel.Confirm(false); err != nil {
		return err
	}
	queue, err := exclusive(channel, amqp.Table{"x-max-length": int32(1000), "x-overflow": "reject-publish"})
	if err != nil {
		return err
	}
	const count = 1200
	confirmations := channel.NotifyPublish(make(chan amqp.Confirmation, count))
	for range count {
		if err := channel.Publish("", queue, false, false, amqp.Publishing{Body: []byte("x")}); err != nil {
			return err
		}
	}
	acked := 0
	for index := range count {
		select {
		case confirmation := <-confirmations:
			if confirmation.DeliveryTag != uint64(index+1) {
				return fmt.Errorf("confirmation %d came as number %d", confirmation.DeliveryTag, index+1)
			}
			if confirmation.Ack {
				acked++
			}
		case <-time.After(check.Limit):
			return errors.New("confirmations are missing")
		}
	}
	if err := expect("confirmed", acked, 1000); err != nil {
		return err
	}
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	if err := channel.Publish("amq.direct", "nowhere", true, false, amqp.Publishing{Body: []byte("y")}); err != nil {
		return err
	}
	select {
	case returned := <-returns:
		return expect("reply code", returned.ReplyCode, uint16(amqp.NoRoute))
	case <-time.After(check.Limit):
		return errors.New("nothing was returned")
	}
}

func settle(url string) error {
	channel, end, err := open(url)
	if err != nil {
		return err
	}
	defer end()
	name := check.Topic("amqp091", "settle")
	if _, err := channel.QueueDeclare(name, true, false, false, false, nil); err != nil {
		return err
	}
	defer channel.QueueDelete(name, false, false, false)
	if err := channel.Confirm(false); err != nil {
		return err
	}
	if err := send(channel, "", name, texts("a", "b", "c", "d")...); err != nil {
		return err
	}
	other, endOther, err := open(url)
	if err != nil {
		return err
	}
	if err := other.Qos(3, 0, false); err != nil {
		return err
	}
	deliveries, err := other.Consume(name, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := next(deliveries); err != nil {
			return err
		}
	}
	select {
	case <-deliveries:
		return errors.New("more than the prefetch was delivered")
	case <-time.After(300 * time.Millisecond):
	}
	if err := other.Ack(1, false); err != nil {
		return err
	}
	if _, err := next(deliveries); err != nil {
		return err
	}
	endOther()
	left := ""
	var again amqp.Delivery
	err = check.WaitFor("the messages to come back", func() bool {
		delivery, isThere, _ := channel.Get(name, true)
		if isThere {
			left += string(delivery.Body)
			again = delivery
		}
		return len(left) == 3
	})
	if err != nil {
		return err
	}
	if !again.Redelivered {
		return errors.New("not marked as redelivered")
	}
	return expect("order", left, "bcd")
}

func routing(url string) error {
	channel, end, err := open(url)
	if err != nil {
		return err
	}
	defer end()
	if err := channel.Confirm(false); err != nil {
		return err
	}
	source, inner := check.Topic("amqp091", "source"), check.Topic("amqp091", "inner")
	for name, kind := range map[string]string{source: "topic", inner: "headers"} {
		if err := channel.ExchangeDeclare(name, kind, false, true, false, false, nil); err != nil {
			return err
		}
	}
	if err := channel.ExchangeBind(inner, "a.#", source, false, nil); err != nil {
		return err
	}
	dead, err := exclusive(channel, nil)
	if err != nil {
		return err
	}
	queue, err := exclusive(channel, amqp.Table{
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead, "x-message-ttl": int32(100), "x-max-priority": int32(5),
	})
	if err != nil {
		return err
	}
	if err := channel.QueueBind(queue, "", inner, false, amqp.Table{"x-match": "all", "kind": "x"}); err != nil {
		return err
	}
	headers := amqp.Table{"kind": "x"}
	if err := send(channel, source, "a.b.c", amqp.Publishing{Body: []byte("in"), Headers: headers}); err != nil {
		return err
	}
	if err := send(channel, source, "b", amqp.Publishing{Body: []byte("out"), Headers: headers}); err != nil {
		return err
	}
	deliveries, err := channel.Consume(dead, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	letter, err := next(deliveries)
	if err != nil {
		return err
	}
	if err := expect("body", string(letter.Body), "in"); err != nil {
		return err
	}
	deaths, _ := letter.Headers["x-death"].([]any)
	if len(deaths) != 1 {
		return fmt.Errorf("x-death: %v", letter.Headers)
	}
	death, _ := deaths[0].(amqp.Table)
	return expect("reason", death["reason"], "expired")
}

func transactions(url string) error {
	channel, end, err := open(url)
	if err != nil {
		return err
	}
	defer end()
	queue, err := exclusive(channel, nil)
	if err != nil {
		return err
	}
	if err := channel.Tx(); err != nil {
		return err
	}
	for _, step := range []struct {
		word string
		end  func() error
	}{{"dropped", channel.TxRollback}, {"kept", channel.TxCommit}} {
		if err := send(channel, "", queue, texts(step.word)...); err != nil {
			return err
		}
		if err := step.end(); err != nil {
			return err
		}
	}
	delivery, isThere, err := channel.Get(queue, true)
	if err != nil || !isThere {
		return fmt.Errorf("nothing is there: %v", err)
	}
	return expect("body", string(delivery.Body), "kept")
}

func mistakes(url string) error {
	connection, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	for code, run := range map[int]func(*amqp.Channel) error{
		amqp.NotFound: func(channel *amqp.Channel) error {
			_, err := channel.QueueDeclarePassive("amqp091-none", false, false, false, false, nil)
			return err
		},
		amqp.AccessRefused: func(channel *amqp.Channel) error {
			_, err := channel.QueueDeclare("amq.mine", false, false, false, false, nil)
			return err
		},
		amqp.PreconditionFailed: func(channel *amqp.Channel) error {
			return channel.ExchangeDeclare("amq.direct", "fanout", true, false, false, false, nil)
		},
	} {
		channel, err := connection.Channel()
		if err != nil {
			return err
		}
		var told *amqp.Error
		if err := run(channel); !errors.As(err, &told) || told.Code != code {
			return fmt.Errorf("%v instead of %d", err, code)
		}
	}
	return nil
}

func cancel(url string) error {
	channel, end, err := open(url)
	if err != nil {
		return err
	}
	defer end()
	queue, err := exclusive(channel, nil)
	if err != nil {
		return err
	}
	told := channel.NotifyCancel(make(chan string, 1))
	if _, err := channel.Consume(queue, "mine", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := channel.QueueDelete(queue, false, false, false); err != nil {
		return err
	}
	select {
	case tag := <-told:
		return expect("tag", tag, "mine")
	case <-time.After(check.Limit):
		return errors.New("nobody was told")
	}
}
