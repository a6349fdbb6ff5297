package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"pabal.bench/measure"
)

type exchangeResult struct {
	Seconds float64 `json:"seconds"`
	// Messages that were sent, received and deleted, counted when they are deleted.
	Messages       int64               `json:"messages"`
	MessagesPerS   float64             `json:"messagesPerSecond"`
	Requests       int64               `json:"requests"`
	EmptyReceives  int64               `json:"emptyReceives"`
	OutOfOrder     int64               `json:"outOfOrder"`
	SendLatency    measure.Percentiles `json:"sendLatency"`
	ReceiveLatency measure.Percentiles `json:"receiveLatency"`
	DeleteLatency  measure.Percentiles `json:"deleteLatency"`

	ServerCPUSeconds float64 `json:"serverCpuSeconds,omitempty"`
	OwnCPUSeconds    float64 `json:"generatorCpuSeconds"`
}

// exchange is what the workers share.
type exchange struct {
	options *options
	url     string
	filler  []byte
	// The number that comes next in each group. Of one group one worker at most has messages, so it may be read and
	// written without a lock by whoever received them; -race would not know this, thus atomics.
	expected                             []atomic.Int64
	messages, requests, empty, disorders atomic.Int64
	measuring, stop                      atomic.Bool
}

// worker is one connection. It receives as many messages as it sent, whoever sent them.
type worker struct {
	*exchange
	number  int
	client  *client
	request []byte
	handles [][]byte
	// Sent and not yet received.
	debt int
	// Groups of this worker (every so manieth): which is next, and its next number.
	group   int
	numbers map[int]int64
	sent    int64

	sending, receiving, deleting measure.Histogram
}

func runExchange(o *options) (*exchangeResult, error) {
	name := o.queue
	if o.groups > 0 {
		name += ".fifo"
	}
	if o.groups > 0 && o.groups < o.connections {
		return nil, fmt.Errorf("a group is written by one connection: at least %d groups", o.connections)
	}
	url, err := createQueue(o, name, o.groups > 0)
	if err != nil {
		return nil, err
	}
	x := &exchange{options: o, url: url, filler: bytes.Repeat([]byte("x"), o.size), expected: make([]atomic.Int64, o.groups)}
	workers := make([]*worker, o.connections)
	for i := range workers {
		workers[i] = &worker{exchange: x, number: i, client: newClient(o.address), group: i, numbers: map[int]int64{}}
	}
	if err := x.sendAhead(workers); err != nil {
		return nil, err
	}
	failures := make(chan error, len(workers))
	var running sync.WaitGroup
	for _, w := range workers {
		running.Add(1)
		go func() {
			defer running.Done()
			defer w.client.close()
			if err := w.run(); err != nil {
				failures <- err
			}
		}()
	}
	pass := func(duration time.Duration) error {
		select {
		case err := <-failures:
			return err
		case <-time.After(duration):
			return nil
		}
	}
	if err := pass(o.warmup); err != nil {
		return nil, err
	}
	begun, messages, requests := time.Now(), x.messages.Load(), x.requests.Load()
	serverCPU, ownCPU := measure.CPUSeconds(o.pids()), measure.CPUSeconds([]int{os.Getpid()})
	x.measuring.Store(true)
	if err := pass(o.duration); err != nil {
		return nil, err
	}
	x.measuring.Store(false)
	r := &exchangeResult{
		Seconds:          time.Since(begun).Seconds(),
		Messages:         x.messages.Load() - messages,
		Requests:         x.requests.Load() - requests,
		ServerCPUSeconds: measure.CPUSeconds(o.pids()) - serverCPU,
		OwnCPUSeconds:    measure.CPUSeconds([]int{os.Getpid()}) - ownCPU,
	}
	x.stop.Store(true)
	running.Wait()
	select {
	case err := <-failures:
		return nil, err
	default:
	}
	var sending, receiving, deleting measure.Histogram
	for _, w := range workers {
		sending.Merge(&w.sending)
		receiving.Merge(&w.receiving)
		deleting.Merge(&w.deleting)
	}
	r.MessagesPerS = float64(r.Messages) / r.Seconds
	r.EmptyReceives, r.OutOfOrder = x.empty.Load(), x.disorders.Load()
	r.SendLatency, r.ReceiveLatency, r.DeleteLatency = sending.Percentiles(), receiving.Percentiles(), deleting.Percentiles()
	return r, nil
}

// sendAhead fills the queue, so that there is always more to choose from than what is under way.
func (x *exchange) sendAhead(workers []*worker) error {
	failures := make(chan error, len(workers))
	for _, w := range workers {
		go func() {
			for w.sent < int64(x.options.ahead/len(workers)) {
				if err := w.send(); err != nil {
					failures <- err
					return
				}
			}
			w.debt = 0
			failures <- nil
		}()
	}
	for range workers {
		if err := <-failures; err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) run() error {
	for !w.stop.Load() {
		if err := w.timed(&w.sending, w.send); err != nil {
			return err
		}
		for w.debt > 0 && !w.stop.Load() {
			if err := w.timed(&w.receiving, w.receive); err != nil {
				return err
			}
			if len(w.handles) == 0 {
				// Everything may be with other connections, or of groups that are. Nobody gains by asking at once.
				w.empty.Add(1)
				time.Sleep(time.Millisecond)
				continue
			}
			if err := w.timed(&w.deleting, w.delete); err != nil {
				return err
			}
			w.messages.Add(int64(len(w.handles)))
		}
	}
	return nil
}

func (w *worker) timed(h *measure.Histogram, call func() error) error {
	isMeasured := w.measuring.Load()
	begun := time.Now()
	err := call()
	if isMeasured {
		h.Add(time.Since(begun).Nanoseconds())
	}
	w.requests.Add(1)
	return err
}

func (w *worker) begin() {
	w.request = append(w.request[:0], `{"QueueUrl":"`...)
	w.request = append(w.request, w.url...)
	w.request = append(w.request, '"')
}

func (w *worker) call(action string) ([]byte, error) {
	answer, err := w.client.call(action, w.request)
	if err == nil && hasFailures(answer) {
		return nil, fmt.Errorf("%s: %.300s", action, answer)
	}
	return answer, err
}

// appendMessage adds the members of one message: its body is its group, its number there, and filling.
func (w *worker) appendMessage(out []byte) []byte {
	out = append(out, `"MessageBody":"`...)
	begun := len(out)
	if w.options.groups > 0 {
		number := w.numbers[w.group]
		w.numbers[w.group] = number + 1
		out = strconv.AppendInt(out, int64(w.group), 10)
		out = append(out, ':')
		out = strconv.AppendInt(out, number, 10)
		out = append(out, ':')
	}
	out = append(out, w.filler[:max(0, w.options.size-(len(out)-begun))]...)
	out = append(out, '"')
	if w.options.groups > 0 {
		out = fmt.Appendf(out, `,"MessageGroupId":"g%d","MessageDeduplicationId":"%d-%d"`, w.group, w.number, w.sent)
		w.group += w.options.connections
		if w.group >= w.options.groups {
			w.group = w.number
		}
	}
	w.sent++
	w.debt++
	return out
}

func (w *worker) send() error {
	w.begin()
	if w.options.batch == 1 {
		w.request = append(w.request, ',')
		w.request = append(w.appendMessage(w.request), '}')
		_, err := w.call("SendMessage")
		return err
	}
	w.request = append(w.request, `,"Entries":[`...)
	for i := range w.options.batch {
		if i > 0 {
			w.request = append(w.request, ',')
		}
		w.request = fmt.Appendf(w.request, `{"Id":"%d",`, i)
		w.request = append(w.appendMessage(w.request), '}')
	}
	w.request = append(w.request, "]}"...)
	_, err := w.call("SendMessageBatch")
	return err
}

func (w *worker) receive() error {
	w.begin()
	w.request = fmt.Appendf(w.request, `,"MaxNumberOfMessages":%d,"WaitTimeSeconds":0}`, min(w.debt, w.options.batch))
	answer, err := w.call("ReceiveMessage")
	if err != nil {
		return err
	}
	// Copied: the answer is overwritten by the next.
	w.handles = w.handles[:0]
	members(answer, "ReceiptHandle", func(value []byte) { w.handles = append(w.handles, bytes.Clone(value)) })
	w.debt -= len(w.handles)
	if w.options.groups > 0 {
		members(answer, "Body", w.check)
	}
	return nil
}

func (w *worker) check(body []byte) {
	groupText, rest, _ := bytes.Cut(body, []byte(":"))
	numberText, _, _ := bytes.Cut(rest, []byte(":"))
	group, err := strconv.Atoi(string(groupText))
	number, err2 := strconv.ParseInt(string(numberText), 10, 64)
	if err != nil || err2 != nil || group < 0 || group >= len(w.expected) {
		w.disorders.Add(1)
		return
	}
	if w.expected[group].Swap(number+1) != number {
		w.disorders.Add(1)
	}
}

func (w *worker) delete() error {
	w.begin()
	if w.options.batch == 1 {
		w.request = append(w.request, `,"ReceiptHandle":"`...)
		w.request = append(w.request, w.handles[0]...)
		w.request = append(w.request, `"}`...)
		_, err := w.call("DeleteMessage")
		return err
	}
	w.request = append(w.request, `,"Entries":[`...)
	for i, handle := range w.handles {
		if i > 0 {
			w.request = append(w.request, ',')
		}
		w.request = fmt.Appendf(w.request, `{"Id":"%d","ReceiptHandle":"%s"}`, i, handle)
	}
	w.request = append(w.request, "]}"...)
	_, err := w.call("DeleteMessageBatch")
	return err
}
