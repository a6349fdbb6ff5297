// sqs-load drives servers that speak the JSON protocol of SQS.
//
// Mode `exchange`: every connection sends, receives and deletes messages, as many as it sent, and checks the order
// within groups where there are groups. Mode `polls`: connections wait for messages that come now and then.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type options struct {
	address     string
	mode        string
	queue       string
	connections int
	batch       int
	size        int
	groups      int
	ahead       int
	polls       int
	queues      int
	wakes       int
	hold        time.Duration
	warmup      time.Duration
	duration    time.Duration
	serverPids  string
}

func main() {
	o := parse()
	var out any
	var err error
	switch o.mode {
	case "exchange":
		out, err = runExchange(o)
	case "polls":
		out, err = runPolls(o)
	default:
		err = fmt.Errorf("no mode %q", o.mode)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sqs-load:", err)
		os.Exit(1)
	}
	text, _ := json.MarshalIndent(out, "", "  ")
	fmt.Println(string(text))
}

func parse() *options {
	o := &options{}
	flag.StringVar(&o.address, "address", "127.0.0.1:9324", "host and port of the server")
	flag.StringVar(&o.mode, "mode", "exchange", "exchange or polls")
	flag.StringVar(&o.queue, "queue", "load", "name of the queue, created where there is none; .fifo is added when there are groups")
	flag.IntVar(&o.connections, "connections", 32, "exchange: connections, each with one request at a time")
	flag.IntVar(&o.batch, "batch", 1, "exchange: messages of a request; 1: the actions for single messages")
	flag.IntVar(&o.size, "size", 1024, "bytes of a body")
	flag.IntVar(&o.groups, "groups", 0, "exchange: message groups of a FIFO queue; 0: a standard queue")
	flag.IntVar(&o.ahead, "ahead", 0, "exchange: messages that are sent before and stay behind, divided among the connections")
	flag.IntVar(&o.polls, "polls", 5000, "polls: how many wait")
	flag.IntVar(&o.queues, "queues", 100, "polls: queues that they wait at, in turn")
	flag.IntVar(&o.wakes, "wakes", 2000, "polls: messages that wake one of them, one after the other")
	flag.DurationVar(&o.hold, "hold", 10*time.Second, "polls: how long all of them wait before the first message")
	flag.DurationVar(&o.warmup, "warmup", 2*time.Second, "exchange: before anything is measured")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "exchange: what is measured")
	flag.StringVar(&o.serverPids, "server-pids", "", "processes whose CPU time (descendants included) is reported: 12,34")
	flag.Parse()
	return o
}

func (o *options) pids() []int {
	var pids []int
	for _, text := range strings.Split(o.serverPids, ",") {
		if pid, err := strconv.Atoi(strings.TrimSpace(text)); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// createQueue answers its URL as JSON has it between quotes. What is received stays invisible for longer than a
// measurement takes.
func createQueue(o *options, name string, isFifo bool) (string, error) {
	attributes := `"VisibilityTimeout":"600"`
	if isFifo {
		attributes += `,"FifoQueue":"true"`
	}
	c := newClient(o.address)
	defer c.close()
	answer, err := c.call("CreateQueue", fmt.Appendf(nil, `{"QueueName":"%s","Attributes":{%s}}`, name, attributes))
	if err != nil {
		return "", err
	}
	url := ""
	members(answer, "QueueUrl", func(value []byte) { url = string(value) })
	if url == "" {
		return "", fmt.Errorf("CreateQueue: %.300s", answer)
	}
	return url, nil
}
