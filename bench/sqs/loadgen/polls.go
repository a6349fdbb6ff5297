package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"pabal.bench/measure"
)

type pollsResult struct {
	Polls       int     `json:"polls"`
	OpenSeconds float64 `json:"openSeconds"`
	// Resident memory of the server's process: before the first poll, and when all of them waited.
	ResidentKibBefore float64 `json:"residentKibBefore"`
	ResidentKibHeld   float64 `json:"residentKibHeld"`
	KibPerPoll        float64 `json:"kibPerPoll"`
	// Of the server while all waited: what comes of polls that end and are made again, every 20 s.
	IdleCPUPerS float64 `json:"idleCpuPerSecond"`
	// From writing a SendMessage to having read the answer of the poll that it wakes, and that of the SendMessage itself.
	WakeLatency measure.Percentiles `json:"wakeLatency"`
	SendLatency measure.Percentiles `json:"sendLatency"`

	OwnCPUSeconds float64 `json:"generatorCpuSeconds"`
}

const (
	pollSeconds   = 20
	openersCount  = 16
	wakeTimeout   = 10 * time.Second
	warmingRounds = 500
)

// polling is what the polls share.
type polling struct {
	options *options
	urls    []string
	// Times at which a poll was answered with a message.
	woken    chan time.Time
	failures chan error
	isOver   atomic.Bool
}

func runPolls(o *options) (*pollsResult, error) {
	p := &polling{options: o, woken: make(chan time.Time, 16), failures: make(chan error, o.polls+openersCount)}
	for i := range o.queues {
		url, err := createQueue(o, fmt.Sprintf("%s-%d", o.queue, i), false)
		if err != nil {
			return nil, err
		}
		p.urls = append(p.urls, url)
	}
	sender := newClient(o.address)
	if err := p.warmUp(sender); err != nil {
		return nil, err
	}
	r := &pollsResult{Polls: o.polls, ResidentKibBefore: measure.ResidentKib(o.pids())}
	begun := time.Now()
	if err := p.open(); err != nil {
		return nil, err
	}
	r.OpenSeconds = time.Since(begun).Seconds()
	cpu := measure.CPUSeconds(o.pids())
	if err := p.pass(o.hold); err != nil {
		return nil, err
	}
	r.IdleCPUPerS = (measure.CPUSeconds(o.pids()) - cpu) / o.hold.Seconds()
	r.ResidentKibHeld = measure.ResidentKib(o.pids())
	r.KibPerPoll = (r.ResidentKibHeld - r.ResidentKibBefore) / float64(o.polls)
	var wakes, sends measure.Histogram
	for i := range o.wakes {
		if err := p.wake(sender, i, &wakes, &sends); err != nil {
			return nil, err
		}
	}
	p.isOver.Store(true)
	r.WakeLatency, r.SendLatency = wakes.Percentiles(), sends.Percentiles()
	r.OwnCPUSeconds = measure.CPUSeconds([]int{os.Getpid()})
	return r, nil
}

// warmUp sends and takes some messages, so that the server has the memory that it needs for anything at all.
func (p *polling) warmUp(c *client) error {
	for i := range warmingRounds {
		url := p.urls[i%len(p.urls)]
		if _, err := c.call("SendMessage", fmt.Appendf(nil, `{"QueueUrl":"%s","MessageBody":"x"}`, url)); err != nil {
			return err
		}
		if err := takeOne(c, url, 0); err != nil {
			return err
		}
	}
	return nil
}

// takeOne receives and deletes a message where there is one.
func takeOne(c *client, url string, waitSeconds int) error {
	answer, err := c.call("ReceiveMessage", pollRequest(url, waitSeconds))
	if err != nil {
		return err
	}
	return deleteAll(c, url, answer)
}

func pollRequest(url string, waitSeconds int) []byte {
	return fmt.Appendf(nil, `{"QueueUrl":"%s","MaxNumberOfMessages":1,"WaitTimeSeconds":%d}`, url, waitSeconds)
}

func deleteAll(c *client, url string, answer []byte) error {
	var handles []string
	members(answer, "ReceiptHandle", func(value []byte) { handles = append(handles, string(value)) })
	for _, handle := range handles {
		if _, err := c.call("DeleteMessage", fmt.Appendf(nil, `{"QueueUrl":"%s","ReceiptHandle":"%s"}`, url, handle)); err != nil {
			return err
		}
	}
	return nil
}

// open starts all polls, some at a time, and waits until their requests are written.
func (p *polling) open() error {
	var next atomic.Int64
	done := make(chan error, openersCount)
	for range openersCount {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= p.options.polls {
					done <- nil
					return
				}
				c := newClient(p.options.address)
				c.in = make([]byte, 0, 2048)
				url := p.urls[i%len(p.urls)]
				if err := c.send("ReceiveMessage", pollRequest(url, pollSeconds)); err != nil {
					done <- err
					return
				}
				go p.hold(c, url)
			}
		}()
	}
	for range openersCount {
		if err := <-done; err != nil {
			return err
		}
	}
	return nil
}

// hold waits for the answers of one poll, which was sent, and polls again.
func (p *polling) hold(c *client, url string) {
	for {
		status, answer, err := c.receive()
		at := time.Now()
		if p.isOver.Load() {
			return
		}
		if err != nil || status != 200 {
			p.failures <- fmt.Errorf("a poll ended: status %d, %w, %.300s", status, err, answer)
			return
		}
		isWoken := false
		members(answer, "ReceiptHandle", func([]byte) { isWoken = true })
		if isWoken {
			if err := deleteAll(c, url, answer); err != nil {
				p.failures <- err
				return
			}
		}
		if err := c.send("ReceiveMessage", pollRequest(url, pollSeconds)); err != nil {
			p.failures <- err
			return
		}
		if isWoken {
			p.woken <- at
		}
	}
}

// wake sends one message and waits until a poll has it.
func (p *polling) wake(sender *client, i int, wakes, sends *measure.Histogram) error {
	body := fmt.Appendf(nil, `{"QueueUrl":"%s","MessageBody":"%d"}`, p.urls[i%len(p.urls)], i)
	begun := time.Now()
	if _, err := sender.call("SendMessage", body); err != nil {
		return err
	}
	sends.Add(time.Since(begun).Nanoseconds())
	select {
	case at := <-p.woken:
		wakes.Add(at.Sub(begun).Nanoseconds())
		return nil
	case err := <-p.failures:
		return err
	case <-time.After(wakeTimeout):
		return fmt.Errorf("message %d woke nobody within %v", i, wakeTimeout)
	}
}

func (p *polling) pass(duration time.Duration) error {
	select {
	case err := <-p.failures:
		return err
	case <-time.After(duration):
		return nil
	}
}
