// A load generator for brokers that speak AMQP 0-9-1. It prints one JSON object.
//
//	amqp-load [flags]            publishers and consumers, for a time or a number of messages
//	amqp-load -idle N [flags]    N connections that do nothing
//
// Raw frames and one system call for many messages, so that it takes a small part of what any broker takes.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"pabal.bench/measure"
)

type options struct {
	uri        string
	queues     int
	queueName  string
	queueArgs  string
	exchange   string
	kind       string
	publishers int
	consumers  int
	size       int
	persistent bool
	mandatory  bool
	confirm    int
	batch      int
	prefetch   int
	autoAck    bool
	ackEvery   int
	rate       float64
	messages   int64
	warmup     time.Duration
	duration   time.Duration
	purge      bool
	deleteTopo bool
	idle       int
	channels   int
	serverPids string

	consumeArgs      string
	consumeArguments map[string]any
	stopping         atomic.Bool
}

type result struct {
	Seconds          float64             `json:"seconds"`
	Published        int64               `json:"published"`
	Confirmed        int64               `json:"confirmed"`
	Nacked           int64               `json:"nacked"`
	Returned         int64               `json:"returned"`
	Consumed         int64               `json:"consumed"`
	Redelivered      int64               `json:"redelivered"`
	PublishedPerS    float64             `json:"publishedPerSecond"`
	ConsumedPerS     float64             `json:"consumedPerSecond"`
	ConfirmLatency   measure.Percentiles `json:"confirmLatency"`
	DeliverLatency   measure.Percentiles `json:"deliverLatency"`
	ServerCPUSeconds float64             `json:"serverCpuSeconds,omitempty"`
	OwnCPUSeconds    float64             `json:"generatorCpuSeconds"`
}

func main() {
	o := parse()
	var out any
	var err error
	if o.idle > 0 {
		out, err = runIdle(o)
	} else {
		out, err = runLoad(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "amqp-load:", err)
		os.Exit(1)
	}
	text, _ := json.MarshalIndent(out, "", "  ")
	fmt.Println(string(text))
}

func parse() *options {
	o := &options{}
	flag.StringVar(&o.uri, "uri", "amqp://guest:guest@127.0.0.1:5672/", "broker")
	flag.IntVar(&o.queues, "queues", 1, "queues; publishers and consumers take them in turn")
	flag.StringVar(&o.queueName, "queue", "load", "name of the queues; -0, -1, ... is added")
	flag.StringVar(&o.queueArgs, "queue-args", "", "such as x-queue-type=quorum,x-max-length=1000")
	flag.StringVar(&o.exchange, "exchange", "", "publish here; declared and bound to every queue when it is named")
	flag.StringVar(&o.kind, "exchange-type", "fanout", "type of the exchange")
	flag.IntVar(&o.publishers, "publishers", 1, "publishing connections")
	flag.IntVar(&o.consumers, "consumers", 1, "consuming connections")
	flag.IntVar(&o.size, "size", 100, "bytes of a body; 8 or more carry the time for the latency")
	flag.BoolVar(&o.persistent, "persistent", true, "delivery mode 2, and durable queues")
	flag.BoolVar(&o.mandatory, "mandatory", false, "publish mandatory")
	flag.IntVar(&o.confirm, "confirm", 1000, "unconfirmed messages of a publisher at most; 0: no confirms")
	flag.IntVar(&o.batch, "batch", 256, "messages of one write at most")
	flag.IntVar(&o.prefetch, "prefetch", 100, "unacked messages of a consumer at most; 0: no limit")
	flag.BoolVar(&o.autoAck, "auto-ack", false, "consume without acks")
	flag.IntVar(&o.ackEvery, "ack-every", 1, "ack so many at once; 1: each by itself")
	flag.StringVar(&o.consumeArgs, "consume-args", "", "such as x-stream-offset=first")
	flag.Float64Var(&o.rate, "rate", 0, "messages a second of all publishers together; 0: as fast as it goes")
	flag.Int64Var(&o.messages, "messages", 0, "messages to publish (or, without publishers, to consume) in all; 0: -duration says")
	flag.DurationVar(&o.warmup, "warmup", 2*time.Second, "before anything is measured; not with -messages")
	flag.DurationVar(&o.duration, "duration", 10*time.Second, "what is measured; with -messages: give up after this")
	flag.BoolVar(&o.purge, "purge", true, "purge the queues first; not when there are no publishers")
	flag.BoolVar(&o.deleteTopo, "delete", false, "delete queues and exchange in the end")
	flag.IntVar(&o.idle, "idle", 0, "only open so many connections and hold them for -duration")
	flag.IntVar(&o.channels, "channels", 2, "channels of each idle connection")
	flag.StringVar(&o.serverPids, "server-pids", "", "processes whose CPU time (descendants included) is reported: 12,34")
	flag.Parse()
	o.consumeArguments = parseArguments(o.consumeArgs)
	return o
}

// parseArguments reads name=value,...: integers and booleans are sent as such.
func parseArguments(text string) map[string]any {
	values := map[string]any{}
	for _, pair := range strings.Split(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			continue
		}
		if n, err := strconv.ParseInt(value, 10, 64); err == nil {
			values[name] = n
		} else if value == "true" || value == "false" {
			values[name] = value == "true"
		} else {
			values[name] = value
		}
	}
	return values
}

func (o *options) queueOf(index int) string {
	return fmt.Sprintf("%s-%d", o.queueName, index%o.queues)
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

func setUp(o *options) error {
	c, err := dial(o.uri)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.openChannel(1); err != nil {
		return err
	}
	var durable byte
	if o.persistent {
		durable = 2
	}
	if o.exchange != "" {
		declare := newMethod(exchangeDeclare).short(0).shortstr(o.exchange).shortstr(o.kind).octet(durable).table(nil)
		if err := c.call(1, declare, exchangeDeclareOk); err != nil {
			return err
		}
	}
	for i := range o.queues {
		name := o.queueOf(i)
		declare := newMethod(queueDeclare).short(0).shortstr(name).octet(durable).table(parseArguments(o.queueArgs))
		if err := c.call(1, declare, queueDeclareOk); err != nil {
			return err
		}
		if o.purge && o.publishers > 0 {
			if err := c.call(1, newMethod(queuePurge).short(0).shortstr(name).octet(0), queuePurgeOk); err != nil {
				return err
			}
		}
		if o.exchange != "" {
			bind := newMethod(queueBind).short(0).shortstr(name).shortstr(o.exchange).shortstr(name).octet(0).table(nil)
			if err := c.call(1, bind, queueBindOk); err != nil {
				return err
			}
		}
	}
	return nil
}

func tearDown(o *options) error {
	c, err := dial(o.uri)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.openChannel(1); err != nil {
		return err
	}
	for i := range o.queues {
		if err := c.call(1, newMethod(queueDelete).short(0).shortstr(o.queueOf(i)).octet(0), queueDeleteOk); err != nil {
			return err
		}
	}
	if o.exchange == "" {
		return nil
	}
	return c.call(1, newMethod(exchangeDelete).short(0).shortstr(o.exchange).octet(0), exchangeDeleteOk)
}

// load is everything that runs.
type load struct {
	options    *options
	publishers []*publisher
	consumers  []*consumer
	measuring  atomic.Bool
	stop       atomic.Bool
	failures   chan error
	publishing sync.WaitGroup
}

type counts struct {
	at                                                       time.Time
	published, confirmed, nacked, returned, consumed, redone int64
	serverCPU, ownCPU                                        float64
}

func (l *load) count() counts {
	c := counts{at: time.Now(), serverCPU: measure.CPUSeconds(l.options.pids()), ownCPU: measure.CPUSeconds([]int{os.Getpid()})}
	for _, p := range l.publishers {
		c.published += p.sent.Load()
		c.confirmed += p.confirmed.Load()
		c.nacked += p.nacked.Load()
		c.returned += p.returned.Load()
	}
	for _, each := range l.consumers {
		c.consumed += each.received.Load()
		c.redone += each.redone.Load()
	}
	return c
}

func runLoad(o *options) (*result, error) {
	if err := setUp(o); err != nil {
		return nil, err
	}
	l := &load{options: o, failures: make(chan error, o.publishers+o.consumers)}
	if err := l.open(); err != nil {
		return nil, err
	}
	var before, after counts
	if o.messages > 0 {
		l.measuring.Store(true)
		before = l.count()
		l.start()
		if err := l.finish(); err != nil {
			return nil, err
		}
		after = l.count()
		// Without publishers it ends with the last delivery, not when that was noticed.
		var last int64
		for _, c := range l.consumers {
			last = max(last, c.lastNs.Load())
		}
		if o.publishers == 0 && last > 0 {
			after.at = time.Unix(0, last)
		}
	} else {
		l.start()
		if err := l.pass(o.warmup); err != nil {
			return nil, err
		}
		before = l.count()
		l.measuring.Store(true)
		if err := l.pass(o.duration); err != nil {
			return nil, err
		}
		l.measuring.Store(false)
		after = l.count()
	}
	l.measuring.Store(false)
	o.stopping.Store(true)
	l.stop.Store(true)
	for _, p := range l.publishers {
		p.mutex.Lock()
		p.wake.Broadcast()
		p.mutex.Unlock()
	}
	l.publishing.Wait()
	for _, c := range l.consumers {
		c.conn.Close()
	}
	if o.deleteTopo {
		if err := tearDown(o); err != nil {
			return nil, err
		}
	}
	return l.report(before, after), nil
}

func (l *load) open() error {
	o := l.options
	for i := range o.consumers {
		c, err := newConsumer(o, o.queueOf(i), &l.measuring)
		if err != nil {
			return err
		}
		l.consumers = append(l.consumers, c)
	}
	for i := range o.publishers {
		share := o.messages / int64(o.publishers)
		if i == 0 {
			share += o.messages % int64(o.publishers)
		}
		p, err := newPublisher(o, o.queueOf(i), o.rate/float64(o.publishers), share, &l.measuring)
		if err != nil {
			return err
		}
		l.publishers = append(l.publishers, p)
	}
	return nil
}

func (l *load) start() {
	for _, c := range l.consumers {
		go func() {
			if err := c.run(); err != nil {
				l.failures <- fmt.Errorf("consumer: %w", err)
			}
		}()
	}
	for _, p := range l.publishers {
		l.publishing.Add(1)
		go func() {
			defer l.publishing.Done()
			if err := p.run(&l.stop); err != nil {
				l.failures <- fmt.Errorf("publisher: %w", err)
			}
		}()
	}
}

// pass lets time pass, or answers a failure.
func (l *load) pass(duration time.Duration) error {
	select {
	case err := <-l.failures:
		return err
	case <-time.After(duration):
		return nil
	}
}

// finish waits until all messages are published and confirmed, and consumed where there are consumers.
func (l *load) finish() error {
	o := l.options
	perMessage := int64(1)
	if o.exchange != "" && o.kind == "fanout" {
		perMessage = int64(o.queues)
	}
	wanted := o.messages
	if o.publishers > 0 {
		wanted *= perMessage
	}
	deadline := time.Now().Add(max(o.duration, time.Minute))
	for {
		if err := l.pass(2 * time.Millisecond); err != nil {
			return err
		}
		var settled, consumed int64
		for _, p := range l.publishers {
			if o.confirm > 0 {
				settled += p.confirmed.Load() + p.nacked.Load()
			} else {
				settled += p.sent.Load()
			}
		}
		for _, c := range l.consumers {
			consumed += c.received.Load()
		}
		isPublished := o.publishers == 0 || settled >= o.messages
		isConsumed := o.consumers == 0 || consumed >= wanted
		if isPublished && isConsumed {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("gave up: %d settled, %d consumed", settled, consumed)
		}
	}
}

func (l *load) report(before, after counts) *result {
	seconds := after.at.Sub(before.at).Seconds()
	var confirms, deliveries measure.Histogram
	for _, p := range l.publishers {
		confirms.Merge(&p.latency)
	}
	for _, c := range l.consumers {
		deliveries.Merge(&c.latency)
	}
	r := &result{
		Seconds:          seconds,
		Published:        after.published - before.published,
		Confirmed:        after.confirmed - before.confirmed,
		Nacked:           after.nacked - before.nacked,
		Returned:         after.returned - before.returned,
		Consumed:         after.consumed - before.consumed,
		Redelivered:      after.redone - before.redone,
		ConfirmLatency:   confirms.Percentiles(),
		DeliverLatency:   deliveries.Percentiles(),
		ServerCPUSeconds: after.serverCPU - before.serverCPU,
		OwnCPUSeconds:    after.ownCPU - before.ownCPU,
	}
	r.PublishedPerS = float64(r.Published) / seconds
	r.ConsumedPerS = float64(r.Consumed) / seconds
	return r
}

type idleResult struct {
	Connections int     `json:"connections"`
	Channels    int     `json:"channels"`
	OpenSeconds float64 `json:"openSeconds"`
	// CPU time while they were held, where -server-pids says whose.
	ServerCPUSeconds float64 `json:"serverCpuSeconds,omitempty"`
}

// runIdle opens connections, eight at a time, says so on standard error, and holds them.
func runIdle(o *options) (*idleResult, error) {
	begun := time.Now()
	conns := make([]*conn, o.idle)
	errs := make(chan error, 8)
	var next atomic.Int64
	for range 8 {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= o.idle {
					errs <- nil
					return
				}
				c, err := dial(o.uri)
				if err == nil {
					conns[i] = c
					for channel := 1; channel <= o.channels && err == nil; channel++ {
						err = c.openChannel(uint16(channel))
					}
				}
				if err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	for range 8 {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	opened := time.Since(begun).Seconds()
	fmt.Fprintln(os.Stderr, "amqp-load: open")
	before := measure.CPUSeconds(o.pids())
	time.Sleep(o.duration)
	cpu := measure.CPUSeconds(o.pids()) - before
	for _, c := range conns {
		c.Close()
	}
	return &idleResult{o.idle, o.channels, opened, cpu}, nil
}
